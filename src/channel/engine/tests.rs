//! The engine over two byte queues that can be slow, full, cut off or broken.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

use super::*;
use crate::context::tests::fixtures::{self, Pki, context, pki, pki_named};
use crate::context::{Connection, Name, Protocol, ProtocolSet, Settings};

/// One direction of the wire.
struct Wire {
    /// What is on its way.
    bytes: VecDeque<u8>,
    /// The most that one read gets.
    piece: usize,
    /// How many bytes fit in.
    room: usize,
    /// Whether nothing comes after these bytes.
    ended: bool,
    /// What reading ends with, after these bytes, and writing at once.
    broken: Option<i32>,
}

type Shared = Rc<RefCell<Wire>>;

/// A wire without limits.
fn wire() -> Shared {
    Rc::new(RefCell::new(Wire {
        bytes: VecDeque::new(),
        piece: usize::MAX,
        room: usize::MAX,
        ended: false,
        broken: None,
    }))
}

/// One end of the connection below TLS.
struct End {
    from: Shared,
    to: Shared,
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.from.borrow_mut();
        if wire.bytes.is_empty() {
            return match wire.broken {
                Some(errno) => Err(io::Error::from_raw_os_error(errno)),
                None if wire.ended => Ok(0),
                None => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let piece = wire.piece.min(buffer.len());
        wire.bytes.read(&mut buffer[..piece])
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.to.borrow_mut();
        if let Some(errno) = wire.broken {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let fits = wire.room.saturating_sub(wire.bytes.len()).min(bytes.len());
        if fits == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        wire.bytes.write(&bytes[..fits])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client and a server.
struct Pair {
    client: Engine<End>,
    server: Engine<End>,
    /// From the client to the server.
    up: Shared,
    /// From the server to the client.
    down: Shared,
}

/// The protocol versions that behave differently.
const VERSIONS: [Protocol; 2] = [Protocol::Tls1_2, Protocol::Tls1_3];

/// Settings for one protocol version alone.
fn only(protocol: Protocol, settings: Settings) -> Settings {
    Settings {
        protocols: ProtocolSet::EMPTY.with(protocol, true),
        ..settings
    }
}

impl Pair {
    /// A connection that has done nothing yet, the client expecting a name.
    fn new(client: &Settings, server: &Settings, name: &str) -> Self {
        let name = Some(Name::parse(name).unwrap());
        let expectations = Connection {
            server_name: name.clone(),
            host: name,
            ..Connection::default()
        };
        let client = context(client).unwrap().ssl(&expectations).unwrap();
        let server = context(server).unwrap().ssl(&Connection::default());
        let (up, down) = (wire(), wire());
        let end = |from: &Shared, to: &Shared| End {
            from: Rc::clone(from),
            to: Rc::clone(to),
        };
        Self {
            client: Engine::new(client, end(&down, &up), false).unwrap(),
            server: Engine::new(server.unwrap(), end(&up, &down), false).unwrap(),
            up,
            down,
        }
    }

    /// A connection between parties that get along.
    fn good(pki: &Pki, protocol: Protocol) -> Self {
        Self::new(
            &only(protocol, pki.client_settings()),
            &only(protocol, pki.server_settings()),
            "server.test",
        )
    }

    /// The same after the handshake.
    fn open(pki: &Pki, protocol: Protocol) -> Self {
        let mut pair = Self::good(pki, protocol);
        let _ = pair.shake();
        assert_eq!(pair.client.phase(), Phase::Open);
        assert_eq!(pair.server.phase(), Phase::Open);
        pair
    }

    /// Goes on with the handshake at both ends until both have finished or failed, or nothing moves.
    fn shake(&mut self) -> (Result<Progress<()>>, Result<Progress<()>>) {
        let mut outcome = (self.client.handshake(), self.server.handshake());
        for _ in 0..20_000 {
            let waiting = |outcome: &Result<_>| matches!(outcome, Ok(progress) if *progress != Progress::Done(()));
            if !waiting(&outcome.0) && !waiting(&outcome.1) {
                break;
            }
            match waiting(&outcome.0) {
                true => outcome.0 = self.client.handshake(),
                // The server's last words are session tickets.
                false => drop(self.client.peek()),
            }
            if waiting(&outcome.1) {
                outcome.1 = self.server.handshake();
            }
        }
        outcome
    }

    /// Sends data from the client while the server reads in pieces; what the server got.
    fn carry(&mut self, data: &[u8], written: usize, read: usize) -> Vec<u8> {
        let mut got = Vec::new();
        let mut sent = 0;
        let mut buffer = vec![0; read];
        while got.len() < data.len() {
            if sent < data.len() {
                let end = data.len().min(sent + written);
                match self.client.write(&data[sent..end]).unwrap() {
                    Progress::Done(count) => sent += count,
                    other => assert_eq!(other, Progress::WantWrite),
                }
            }
            match self.server.read(&mut buffer).unwrap() {
                Progress::Done(count) => got.extend_from_slice(&buffer[..count]),
                other => assert_eq!(other, Progress::WantRead),
            }
        }
        got
    }
}

/// Reads once what there is.
fn read(engine: &mut Engine<End>) -> Result<Progress<Vec<u8>>> {
    let mut buffer = [0; 64];
    Ok(match engine.read(&mut buffer)? {
        Progress::Done(count) => Progress::Done(buffer[..count].to_vec()),
        Progress::WantRead => Progress::WantRead,
        Progress::WantWrite => Progress::WantWrite,
        Progress::WantDecision => Progress::WantDecision,
        Progress::Closed => Progress::Closed,
    })
}

/// Bytes that don't repeat soon.
fn noise(count: usize) -> Vec<u8> {
    (0..count)
        .map(|index| u8::try_from(index * 7919 / 13 % 251).unwrap())
        .collect()
}

/// The first words of an error's code.
fn code<T: std::fmt::Debug>(outcome: Result<T>, words: usize) -> Vec<String> {
    outcome.unwrap_err().code()[..words].to_vec()
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let pki = pki();
    for protocol in VERSIONS {
        for (piece, room) in [(1, usize::MAX), (1, 1), (3, 7), (usize::MAX, 100)] {
            let mut pair = Pair::good(&pki, protocol);
            for wire in [&pair.up, &pair.down] {
                wire.borrow_mut().piece = piece;
                wire.borrow_mut().room = room;
            }
            let (client, server) = pair.shake();
            assert_eq!(
                client,
                Ok(Progress::Done(())),
                "{protocol:?} {piece} {room}"
            );
            assert_eq!(
                server,
                Ok(Progress::Done(())),
                "{protocol:?} {piece} {room}"
            );
        }
    }
}

#[test]
fn data_comes_whole_whatever_the_pieces() {
    let pki = pki();
    let data = noise(100_000);
    for protocol in VERSIONS {
        for (written, read, piece, room) in [
            (100_000, 100_000, usize::MAX, usize::MAX),
            (100_000, 7, usize::MAX, usize::MAX),
            (16_384, 4096, 1000, 1500),
            (333, 16_384, 10, 20),
            (100_000, 5000, 4096, 1),
        ] {
            let mut pair = Pair::open(&pki, protocol);
            pair.up.borrow_mut().piece = piece;
            pair.up.borrow_mut().room = room;
            assert_eq!(pair.carry(&data, written, read), data, "{protocol:?}");
        }
    }
}

#[test]
fn single_bytes_are_carried() {
    let pki = pki();
    for protocol in VERSIONS {
        let mut pair = Pair::open(&pki, protocol);
        assert_eq!(pair.carry(b"byte by byte", 1, 1), b"byte by byte");
    }
}

#[test]
fn large_data_is_carried() {
    let data = noise(8 << 20);
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    pair.up.borrow_mut().room = 200_000;
    assert!(pair.carry(&data, 1 << 20, 65_536) == data);
}

#[test]
fn both_directions_do_not_disturb_each_other() {
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    for wire in [&pair.up, &pair.down] {
        wire.borrow_mut().room = 5000;
    }
    // Each end has a record that doesn't fit, and reads between two attempts to write it.
    let (question, answer) = (noise(16_000), vec![b'a'; 16_000]);
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    let (mut client_done, mut server_done) = (false, false);
    let mut buffer = vec![0; 1000];
    while asked.len() < question.len() || answered.len() < answer.len() {
        client_done = client_done || pair.client.write(&question) == Ok(Progress::Done(16_000));
        server_done = server_done || pair.server.write(&answer) == Ok(Progress::Done(16_000));
        if let Progress::Done(count) = pair.client.read(&mut buffer).unwrap() {
            answered.extend_from_slice(&buffer[..count]);
        }
        if let Progress::Done(count) = pair.server.read(&mut buffer).unwrap() {
            asked.extend_from_slice(&buffer[..count]);
        }
    }
    assert!(asked == question && answered == answer);
}

#[test]
fn session_tickets_do_not_stand_in_the_way_of_data() {
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    // The tickets that the server sent after the handshake are on the wire already.
    assert!(!pair.down.borrow().bytes.is_empty());
    assert_eq!(pair.server.write(b"data"), Ok(Progress::Done(4)));
    assert_eq!(read(&mut pair.client), Ok(Progress::Done(b"data".to_vec())));
}

#[test]
fn tickets_alone_are_nothing_to_read() {
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    assert_eq!(pair.client.peek(), Ok(Progress::WantRead));
    assert!(pair.down.borrow().bytes.is_empty());
    assert!(!pair.client.has_plaintext());
}

#[test]
fn peeking_takes_nothing() {
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    pair.server.write(b"data").unwrap();
    for _ in 0..3 {
        assert_eq!(pair.client.peek(), Ok(Progress::Done(1)));
    }
    assert!(pair.client.has_plaintext());
    assert_eq!(read(&mut pair.client), Ok(Progress::Done(b"data".to_vec())));
    assert!(!pair.client.has_plaintext());
}

#[test]
fn a_write_that_found_no_room_goes_on_where_it_stopped() {
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    pair.up.borrow_mut().room = 10;
    assert_eq!(
        pair.client.write(b"a whole record"),
        Ok(Progress::WantWrite)
    );
    // The caller's buffer may have moved and grown meanwhile.
    let grown = b"a whole record and more".to_vec();
    assert_eq!(read(&mut pair.server), Ok(Progress::WantRead));
    pair.up.borrow_mut().room = usize::MAX;
    assert_eq!(pair.client.write(&grown), Ok(Progress::Done(23)));
    for data in ["a whole record", " and more"] {
        assert_eq!(read(&mut pair.server), Ok(Progress::Done(data.into())));
    }
}

#[test]
fn the_end_of_tls_is_the_end_of_the_data() {
    let pki = pki();
    for protocol in VERSIONS {
        let mut pair = Pair::open(&pki, protocol);
        pair.client.write(b"last").unwrap();
        pair.client.close();
        pair.up.borrow_mut().ended = true;
        assert_eq!(read(&mut pair.server), Ok(Progress::Done(b"last".to_vec())));
        assert!(!pair.server.peer_closed());
        for _ in 0..2 {
            assert_eq!(read(&mut pair.server), Ok(Progress::Closed));
            assert_eq!(pair.server.peek(), Ok(Progress::Closed));
        }
        assert!(pair.server.peer_closed() && pair.server.failure().is_none());
    }
}

#[test]
fn who_has_heard_the_end_may_still_write() {
    let pki = pki();
    for protocol in VERSIONS {
        let mut pair = Pair::open(&pki, protocol);
        pair.client.close();
        assert_eq!(read(&mut pair.server), Ok(Progress::Closed));
        assert_eq!(pair.server.write(b"answer"), Ok(Progress::Done(6)));
        if protocol == Protocol::Tls1_3 {
            assert_eq!(
                read(&mut pair.client),
                Ok(Progress::Done(b"answer".to_vec()))
            );
        }
        pair.server.close();
        assert!(pair.client.write(b"more").is_err());
    }
}

#[test]
fn a_write_to_who_has_said_the_end_and_gone_is_an_error() {
    let pki = pki();
    for protocol in VERSIONS {
        let mut pair = Pair::open(&pki, protocol);
        pair.client.close();
        assert_eq!(read(&mut pair.server), Ok(Progress::Closed));
        pair.down.borrow_mut().broken = Some(libc::EPIPE);
        for _ in 0..2 {
            let error = pair.server.write(b"answer").unwrap_err();
            assert!(matches!(error, Error::Io { errno, .. } if errno == libc::EPIPE));
        }
        assert_eq!(read(&mut pair.server), Ok(Progress::Closed));
    }
}

#[test]
fn the_end_is_told_once() {
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    pair.client.close();
    let told = pair.up.borrow().bytes.len();
    pair.client.close();
    assert_eq!(pair.up.borrow().bytes.len(), told);
}

#[test]
fn a_connection_cut_off_is_an_error_after_the_data() {
    let pki = pki();
    for protocol in VERSIONS {
        let mut pair = Pair::open(&pki, protocol);
        pair.client.write(b"first").unwrap();
        pair.client.write(b"second").unwrap();
        pair.up.borrow_mut().ended = true;
        for data in ["first", "second"] {
            assert_eq!(read(&mut pair.server), Ok(Progress::Done(data.into())));
        }
        for _ in 0..2 {
            let outcome = read(&mut pair.server);
            assert_eq!(code(outcome, 3), ["TLS", "READ", "TRUNCATED"]);
        }
        assert_eq!(pair.server.phase(), Phase::Failed);
    }
}

#[test]
fn a_record_cut_in_half_is_not_data() {
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    pair.client.write(b"good").unwrap();
    let whole = pair.up.borrow().bytes.len();
    pair.client.write(b"never seen").unwrap();
    pair.up.borrow_mut().bytes.truncate(whole + 20);
    pair.up.borrow_mut().ended = true;
    assert_eq!(read(&mut pair.server), Ok(Progress::Done(b"good".to_vec())));
    let outcome = read(&mut pair.server);
    assert_eq!(code(outcome, 3), ["TLS", "READ", "TRUNCATED"]);
}

#[test]
fn a_handshake_cut_off_anywhere_fails() {
    let pki = pki();
    for protocol in VERSIONS {
        // How much the server says in a whole handshake.
        let mut pair = Pair::good(&pki, protocol);
        pair.client.handshake().unwrap();
        pair.server.handshake().unwrap();
        let said = pair.down.borrow().bytes.len();
        for cut in [0, 1, 5, 100, said / 2, said - 1] {
            let mut pair = Pair::good(&pki, protocol);
            pair.client.handshake().unwrap();
            pair.server.handshake().unwrap();
            {
                // Signatures vary in length, so that this handshake may be a little shorter than the first.
                let mut down = pair.down.borrow_mut();
                let cut = cut.min(down.bytes.len() - 1);
                down.bytes.truncate(cut);
                down.ended = true;
            }
            let outcome = pair.client.handshake();
            assert_eq!(
                code(outcome, 4),
                ["TLS", "HANDSHAKE", "FAILED", "CLOSED"],
                "{protocol:?} after {cut}"
            );
        }
    }
}

#[test]
fn a_reset_is_the_operating_systems_error() {
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    pair.client.write(b"good").unwrap();
    pair.up.borrow_mut().broken = Some(libc::ECONNRESET);
    assert_eq!(read(&mut pair.server), Ok(Progress::Done(b"good".to_vec())));
    for _ in 0..2 {
        let error = read(&mut pair.server).unwrap_err();
        assert!(matches!(error, Error::Io { errno, .. } if errno == libc::ECONNRESET));
    }
}

#[test]
fn a_stream_that_never_got_connected_is_an_error() {
    let mut pair = Pair::good(&pki(), Protocol::Tls1_3);
    pair.up.borrow_mut().broken = Some(libc::ENOTCONN);
    let error = pair.client.handshake().unwrap_err();
    assert!(matches!(error, Error::Io { errno, .. } if errno == libc::ENOTCONN));
    assert_eq!(pair.client.phase(), Phase::Failed);
}

#[test]
fn what_came_before_a_write_failed_can_still_be_read() {
    let pki = pki();
    for protocol in VERSIONS {
        let mut pair = Pair::open(&pki, protocol);
        pair.server.write(b"too much").unwrap();
        pair.server.close();
        pair.up.borrow_mut().broken = Some(libc::EPIPE);
        for _ in 0..2 {
            let error = pair.client.write(b"more").unwrap_err();
            assert!(matches!(error, Error::Io { errno, .. } if errno == libc::EPIPE));
        }
        assert_eq!(
            read(&mut pair.client),
            Ok(Progress::Done(b"too much".to_vec()))
        );
        assert_eq!(read(&mut pair.client), Ok(Progress::Closed));
    }
}

#[test]
fn a_peer_that_speaks_no_tls_is_refused() {
    let mut pair = Pair::good(&pki(), Protocol::Tls1_3);
    pair.client.handshake().unwrap();
    pair.down
        .borrow_mut()
        .bytes
        .extend(b"220 mail.example.org ESMTP ready\r\n");
    let error = pair.client.handshake().unwrap_err();
    assert_eq!(error.code()[..4], ["TLS", "HANDSHAKE", "FAILED", "OPENSSL"]);
    assert!(error.message().starts_with("handshake failed: "), "{error}");
    // Every later operation says the same.
    assert_eq!(pair.client.handshake(), Err(error.clone()));
    assert_eq!(pair.client.write(b"x"), Err(error.clone()));
    assert_eq!(pair.client.read(&mut [0]), Err(error));
}

#[test]
fn garbage_in_an_open_connection_is_an_error() {
    let pki = pki();
    for protocol in VERSIONS {
        let mut pair = Pair::open(&pki, protocol);
        pair.client.write(b"good").unwrap();
        pair.up.borrow_mut().bytes.extend(noise(100));
        assert_eq!(read(&mut pair.server), Ok(Progress::Done(b"good".to_vec())));
        let outcome = read(&mut pair.server);
        assert_eq!(code(outcome, 2), ["TLS", "OPENSSL"]);
    }
}

#[test]
fn an_impostor_of_the_authority_is_refused_and_the_server_is_told() {
    let (pki, other) = (pki_named("impostor"), pki_named("impostor"));
    for protocol in VERSIONS {
        let mut pair = Pair::new(
            &only(protocol, other.client_settings()),
            &only(protocol, pki.server_settings()),
            "server.test",
        );
        let (client, server) = pair.shake();
        let error = client.unwrap_err();
        assert_eq!(error.code()[..4], ["TLS", "HANDSHAKE", "FAILED", "VERIFY"]);
        assert_eq!(
            error.message(),
            "handshake failed: certificate verify failed due to \"certificate signature failure\""
        );
        // In TLS 1.3 the server may have finished already, and learns of it when it reads.
        let told = match server {
            Ok(_) => read(&mut pair.server).map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(told.unwrap_err().code().contains(&"51".to_owned()));
    }
}

#[test]
fn another_name_is_refused() {
    let pki = pki();
    for (name, why) in [
        ("other.test", "hostname mismatch"),
        ("127.0.0.2", "IP address mismatch"),
    ] {
        let (client, server) = (pki.client_settings(), pki.server_settings());
        let error = Pair::new(&client, &server, name).shake().0.unwrap_err();
        let text = format!("handshake failed: certificate verify failed due to \"{why}\"");
        assert_eq!(error.message(), text);
    }
}

#[test]
fn a_client_without_a_certificate_learns_of_its_refusal() {
    let pki = pki();
    for protocol in VERSIONS {
        let strict = Settings {
            trust: fixtures::trust(&pki.root.pem()),
            request: true,
            require: true,
            ..pki.server_settings()
        };
        let mut pair = Pair::new(
            &only(protocol, pki.client_settings()),
            &only(protocol, strict),
            "server.test",
        );
        let (client, server) = pair.shake();
        assert_eq!(code(server, 4), ["TLS", "HANDSHAKE", "FAILED", "OPENSSL"]);
        let words = match client {
            Ok(_) => read(&mut pair.client).unwrap_err().code(),
            Err(error) => error.code(),
        };
        let expected: &[&str] = match protocol {
            Protocol::Tls1_3 => &["TLS", "CHANNEL", "ALERT", "116"],
            _ => &["TLS", "HANDSHAKE", "FAILED", "ALERT", "40"],
        };
        assert_eq!(words[..expected.len()], *expected);
    }
}

#[test]
fn an_error_from_outside_stays() {
    let mut pair = Pair::open(&pki(), Protocol::Tls1_3);
    pair.server.write(b"data").unwrap();
    pair.client.abort(Error::panic("a test"));
    let outcome = read(&mut pair.client);
    assert_eq!(code(outcome, 3), ["TLS", "INTERNAL", "PANIC"]);
    // Nothing is sent by a connection that failed.
    let sent = pair.up.borrow().bytes.len();
    pair.client.close();
    assert_eq!(pair.up.borrow().bytes.len(), sent);
}

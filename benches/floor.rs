//! The floor of the benchmark: the same work with the openssl crate, blocking sockets, and one context per process.
//!
//! Usage: `floor server WORK CERTIFICATE KEY FILE`, `floor client WORK PORT TRUST VERSION AMOUNT FILE`. What the words
//! mean, and what is printed, stands in `run.tcl`, which starts both.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for a benchmark, which has nobody else to talk to"
)]

use std::env;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslMode, SslSession,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};

/// How much is written and read at once where there is much.
const BLOCK: usize = 64 * 1024;

/// The size of an echo.
const ECHO: usize = 100;

/// A connection.
type Stream = SslStream<TcpStream>;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["server", work, certificate, key, file] => serve(work, certificate, key, file),
        ["client", work, port, trust, version, amount, file] => Client {
            port: port.parse().unwrap(),
            context: client_context(trust, version),
            amount: amount.parse().unwrap(),
            file: file.to_owned(),
        }
        .run(work),
        _ => panic!("bad words"),
    }
    // The one who started us looks at what we have used, then lets us go.
    let _ = io::stdin().read_line(&mut String::new());
}

/// What contexts of both ends have, as this package sets it.
fn modes(context: &mut SslContextBuilder) {
    context.set_mode(
        SslMode::RELEASE_BUFFERS
            | SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER,
    );
    context
        .set_min_proto_version(Some(SslVersion::TLS1_2))
        .unwrap();
}

/// The server's context.
fn server_context(certificate: &str, key: &str) -> SslContext {
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    modes(&mut context);
    context.set_certificate_chain_file(certificate).unwrap();
    context.set_private_key_file(key, SslFiletype::PEM).unwrap();
    context.set_session_id_context(b"floor").unwrap();
    context.build()
}

/// The session that the client got last.
static SESSION: Mutex<Option<SslSession>> = Mutex::new(None);

/// The client's context.
fn client_context(trust: &str, version: &str) -> SslContext {
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    modes(&mut context);
    if version == "1.2" {
        context
            .set_max_proto_version(Some(SslVersion::TLS1_2))
            .unwrap();
    }
    match trust {
        "default" => context.set_default_verify_paths().unwrap(),
        file => context.set_ca_file(file).unwrap(),
    }
    context.set_verify(SslVerifyMode::PEER);
    context.set_session_cache_mode(
        SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL_STORE,
    );
    context.set_new_session_callback(|_, session| *SESSION.lock().unwrap() = Some(session));
    context.build()
}

/// Serves until the process is ended.
fn serve(work: &str, certificate: &str, key: &str, file: &str) {
    let context = server_context(certificate, key);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let accept = |socket: TcpStream| -> Result<Stream, openssl::ssl::Error> {
        let mut stream = SslStream::new(Ssl::new(&context)?, socket)?;
        stream.accept()?;
        Ok(stream)
    };
    let mut kept = Vec::new();
    let mut plain = Vec::new();
    thread::scope(|scope| {
        for socket in listener.incoming() {
            let socket = socket.unwrap();
            // Without this the bytes that follow the session tickets wait for the client's late acknowledgement.
            socket.set_nodelay(true).unwrap();
            if work == "import" {
                plain.push(socket);
                continue;
            }
            if work == "storm" {
                scope.spawn(|| {
                    let mut stream = accept(socket).unwrap();
                    exchange(&mut stream, ECHO);
                });
                continue;
            }
            let Ok(mut stream) = accept(socket) else {
                continue;
            };
            match work {
                "handshake" | "resume" => {
                    stream.write_all(b"x").unwrap();
                    finish(stream);
                }
                "idle" => {
                    stream.write_all(b"x").unwrap();
                    kept.push(stream);
                }
                "echo" | "eventecho" => exchange(&mut stream, ECHO),
                "down" => {
                    let amount = number(&mut stream);
                    send(&mut stream, amount);
                    finish(stream);
                }
                "up" => {
                    let amount = number(&mut stream);
                    receive(&mut stream, amount);
                    stream.write_all(b"x").unwrap();
                    finish(stream);
                }
                "copydown" => {
                    number(&mut stream);
                    copy(&mut File::open(file).unwrap(), &mut stream);
                    finish(stream);
                }
                "copyup" => {
                    let amount = number(&mut stream);
                    let target = File::create(format!("{file}.received")).unwrap();
                    copy(&mut (&mut stream).take(amount), &mut &target);
                    stream.write_all(b"x").unwrap();
                    finish(stream);
                }
                other => panic!("no such work: {other}"),
            }
        }
    });
}

/// Waits for the peer's end, and ends.
fn finish(mut stream: Stream) {
    let _ = stream.read(&mut [0; 16]);
    let _ = stream.shutdown();
}

/// Sends back what comes, `size` bytes at a time.
fn exchange(stream: &mut Stream, size: usize) {
    let mut bytes = vec![0; size];
    while stream.read_exact(&mut bytes).is_ok() {
        if stream.write_all(&bytes).is_err() {
            break;
        }
    }
}

/// Reads a number of 10 digits.
fn number(stream: &mut Stream) -> u64 {
    let mut digits = [0; 10];
    stream.read_exact(&mut digits).unwrap();
    String::from_utf8_lossy(&digits).trim().parse().unwrap()
}

/// Sends so many bytes.
fn send(stream: &mut Stream, amount: u64) {
    let block = vec![b'b'; BLOCK];
    let mut left = usize::try_from(amount).unwrap();
    while left > 0 {
        let size = left.min(BLOCK);
        stream.write_all(&block[..size]).unwrap();
        left -= size;
    }
}

/// Receives so many bytes.
fn receive(stream: &mut Stream, amount: u64) {
    let mut block = vec![0; BLOCK];
    let mut left = usize::try_from(amount).unwrap();
    while left > 0 {
        match stream.read(&mut block).unwrap() {
            0 => panic!("{left} bytes are missing"),
            size => left -= size,
        }
    }
}

/// Copies all that there is.
fn copy(from: &mut impl Read, to: &mut impl Write) {
    let mut block = vec![0; BLOCK];
    loop {
        match from.read(&mut block).unwrap() {
            0 => return,
            size => to.write_all(&block[..size]).unwrap(),
        }
    }
}

/// A client.
struct Client {
    /// The server's port.
    port: u16,
    /// The context.
    context: SslContext,
    /// Seconds, bytes or connections, as the work has it.
    amount: u64,
    /// What to copy from or to.
    file: String,
}

impl Client {
    /// Does the work and prints the outcome.
    fn run(&self, work: &str) {
        match work {
            "handshake" => self.handshakes(false),
            "resume" => self.handshakes(true),
            "down" | "copydown" | "up" | "copyup" => self.bulk(work),
            "echo" | "eventecho" => self.echo(),
            "idle" => self.idle(),
            "import" => self.import(),
            "storm" => self.storm(),
            other => panic!("no such work: {other}"),
        }
    }

    /// A connection that is about to be made.
    fn ssl(&self) -> Ssl {
        let mut ssl = Ssl::new(&self.context).unwrap();
        ssl.set_hostname("localhost").unwrap();
        ssl.param_mut().set_host("localhost").unwrap();
        ssl
    }

    /// A connection.
    fn connect(&self, session: Option<SslSession>) -> Stream {
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut ssl = self.ssl();
        if let Some(session) = session {
            // SAFETY: the session was made with a context of this process, the only one.
            #[expect(unsafe_code, reason = "openssl has this no other way")]
            unsafe { ssl.set_session(&session) }.unwrap();
        }
        let mut stream = SslStream::new(ssl, socket).unwrap();
        stream.connect().unwrap();
        stream
    }

    /// Connects again and again for so many milliseconds.
    fn handshakes(&self, resume: bool) {
        let once = || {
            let session = SESSION.lock().unwrap().take().filter(|_| resume);
            let expected = session.is_some();
            let mut stream = self.connect(session);
            assert_eq!(stream.ssl().session_reused(), expected, "resumption");
            stream.read_exact(&mut [0]).unwrap();
            if resume && SESSION.lock().unwrap().is_none() {
                *SESSION.lock().unwrap() = stream.ssl().session().map(ToOwned::to_owned);
            }
            let _ = stream.shutdown();
        };
        once();
        self.timed(once);
    }

    /// Repeats something for so many milliseconds, and prints how often a second it could be done.
    fn timed(&self, mut once: impl FnMut()) {
        marked("ready");
        let began = Instant::now();
        let mut count = 0_u32;
        while began.elapsed() < Duration::from_millis(self.amount) {
            once();
            count += 1;
        }
        println!("done {count} {:.6}", began.elapsed().as_secs_f64());
    }

    /// Moves so many bytes.
    fn bulk(&self, work: &str) {
        let mut stream = self.connect(None);
        marked("ready");
        let began = Instant::now();
        write!(stream, "{:10}", self.amount).unwrap();
        match work {
            "down" => receive(&mut stream, self.amount),
            "copydown" => {
                let target = File::create(format!("{}.received", self.file)).unwrap();
                copy(&mut (&mut stream).take(self.amount), &mut &target);
            }
            "up" => {
                send(&mut stream, self.amount);
                stream.read_exact(&mut [0]).unwrap();
            }
            _ => {
                copy(&mut File::open(&self.file).unwrap(), &mut stream);
                stream.read_exact(&mut [0]).unwrap();
            }
        }
        println!("done 1 {:.6}", began.elapsed().as_secs_f64());
        let _ = stream.shutdown();
    }

    /// Sends a little and waits for the echo, for so many milliseconds.
    fn echo(&self) {
        let mut stream = self.connect(None);
        let mut bytes = [b'e'; ECHO];
        self.timed(|| {
            stream.write_all(&bytes).unwrap();
            stream.read_exact(&mut bytes).unwrap();
        });
    }

    /// Opens so many connections and keeps them.
    fn idle(&self) {
        let one = || {
            let mut stream = self.connect(None);
            stream.read_exact(&mut [0]).unwrap();
            stream
        };
        // What the first ones cost once for all isn't theirs alone.
        let mut kept: Vec<Stream> = (0..20).map(|_| one()).collect();
        marked("ready");
        let began = Instant::now();
        kept.extend((0..self.amount).map(|_| one()));
        println!("done {} {:.6}", self.amount, began.elapsed().as_secs_f64());
        let _ = io::stdin().lock().read_line(&mut String::new());
    }

    /// Makes connections that do nothing.
    fn import(&self) {
        let sockets: Vec<TcpStream> = (0..self.amount + 20)
            .map(|_| TcpStream::connect(("127.0.0.1", self.port)).unwrap())
            .collect();
        marked("ready");
        let began = Instant::now();
        let streams: Vec<Stream> = sockets
            .into_iter()
            .map(|socket| SslStream::new(self.ssl(), socket).unwrap())
            .collect();
        println!(
            "done {} {:.6}",
            streams.len(),
            began.elapsed().as_secs_f64()
        );
    }

    /// Opens so many connections at once, each of which waits for one echo.
    fn storm(&self) {
        marked("ready");
        let began = Instant::now();
        let worst = Arc::new(Mutex::new(Duration::ZERO));
        thread::scope(|scope| {
            for _ in 0..self.amount {
                let worst = Arc::clone(&worst);
                scope.spawn(move || {
                    let own = Instant::now();
                    let mut stream = self.connect(None);
                    let mut bytes = [b'e'; ECHO];
                    stream.write_all(&bytes).unwrap();
                    stream.read_exact(&mut bytes).unwrap();
                    let mut worst = worst.lock().unwrap();
                    *worst = (*worst).max(own.elapsed());
                });
            }
        });
        let took = began.elapsed().as_secs_f64();
        let worst = worst.lock().unwrap().as_secs_f64();
        println!("done {} {took:.6} {worst:.6}", self.amount);
    }
}

/// Prints a word, and waits until whoever started us has taken note.
fn marked(word: &str) {
    println!("{word}");
    let _ = io::stdin().read_line(&mut String::new());
}

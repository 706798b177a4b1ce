//! The database as several commands use it, also such that die in the middle.

#![expect(
    clippy::disallowed_methods,
    reason = "tests look at the files themselves"
)]

use std::fs;

use super::*;
use crate::ca::disk::fault;
use crate::ca::row::Status;
use crate::ca::watch::Nobody;

/// A database in a folder of its own, which goes with it.
struct Trial {
    folder: PathBuf,
}

impl Trial {
    /// A database with `count` records, whose serial numbers begin with 1.
    fn new(name: &str, count: u64) -> Self {
        let folder = std::env::temp_dir().join(format!("tls-ca-{name}-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).unwrap();
        let trial = Self { folder };
        let mut text = Vec::new();
        for number in 1..=count {
            text.extend(row(number).to_line());
        }
        fs::write(trial.path("index.txt"), text).unwrap();
        fs::write(trial.path("serial"), number(count + 1).to_file()).unwrap();
        fs::write(trial.path("crlnumber"), "01\n").unwrap();
        trial
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn open(&self) -> Result<Folder> {
        let files = Files {
            database: self.path("index.txt"),
            serial: Some(self.path("serial")),
            crl_number: Some(self.path("crlnumber")),
            unique_subject: true,
        };
        Folder::open(files, Duration::from_secs(300), &mut Nobody)
    }

    /// The rows as OpenSSL would read them: every line but comments.
    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("index.txt")).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Everything in the folder.
    fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let paths = disk::list(&self.folder).unwrap();
        let read = |path: PathBuf| (path.clone(), fs::read(&path).unwrap());
        paths.into_iter().map(read).collect()
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn number(number: u64) -> Serial {
    Serial::from_magnitude(&number.to_be_bytes(), false)
}

fn row(serial: u64) -> Row {
    Row {
        status: Status::Valid,
        expiry: format!("{}0101000000Z", 30 + serial % 10),
        revocation: String::new(),
        serial: number(serial),
        file: b"unknown".to_vec(),
        name: format!("/O=Trial/CN=host{serial}.example.org").into_bytes(),
    }
}

fn revoked(serial: u64) -> Row {
    Row {
        status: Status::Revoked,
        revocation: "260101000000Z,keyCompromise".to_owned(),
        ..row(serial)
    }
}

/// What issuing the certificate `serial` changes.
fn issue(trial: &Trial, serial: u64) -> Vec<Change> {
    vec![
        Change::Record(Edit::Add(row(serial))),
        Change::Serial(number(serial + 1)),
        Change::Certificate {
            serial: number(serial),
            path: Some(trial.path(&format!("{}.pem", number(serial)))),
            bytes: b"certificate".to_vec(),
        },
    ]
}

fn revoke(serial: u64) -> Vec<Change> {
    vec![Change::Record(Edit::Update {
        before: row(serial),
        after: revoked(serial),
    })]
}

/// Enough records for an index that isn't rewritten.
const MANY: u64 = 120;

#[test]
fn a_small_index_is_written_as_openssl_would() {
    let trial = Trial::new("small", 3);
    trial.open().unwrap().commit(issue(&trial, 4)).unwrap();
    trial.open().unwrap().commit(revoke(2)).unwrap();
    let text = fs::read(trial.path("index.txt")).unwrap();
    let expected = [row(1), revoked(2), row(3), row(4)].map(|row| row.to_line());
    assert_eq!(text, expected.concat());
    let old = [row(1), row(2), row(3), row(4)].map(|row| row.to_line());
    assert_eq!(fs::read(trial.path("index.txt.old")).unwrap(), old.concat());
    assert_eq!(fs::read(trial.path("serial")).unwrap(), b"05\n");
    assert_eq!(fs::read(trial.path("serial.old")).unwrap(), b"04\n");
    assert_eq!(
        fs::read(trial.path("index.txt.attr")).unwrap(),
        b"unique_subject = yes\n"
    );
}

#[test]
fn a_large_index_is_appended_to() {
    let trial = Trial::new("large", MANY);
    let before = fs::read(trial.path("index.txt")).unwrap();
    trial
        .open()
        .unwrap()
        .commit(issue(&trial, MANY + 1))
        .unwrap();
    trial.open().unwrap().commit(revoke(2)).unwrap();
    let mut folder = trial.open().unwrap();
    assert_eq!(folder.record(&number(2)).unwrap(), Some(revoked(2)));
    assert_eq!(folder.record(&number(3)).unwrap(), Some(row(3)));
    assert_eq!(
        folder.record(&number(MANY + 1)).unwrap(),
        Some(row(MANY + 1))
    );
    assert_eq!(folder.record(&number(MANY + 2)).unwrap(), None);
    assert_eq!(folder.valid_subject(&row(7).name).unwrap(), Some(row(7)));
    assert_eq!(folder.valid_subject(&row(2).name).unwrap(), None);
    assert_eq!(folder.len(), Some(MANY + 1));
    let after = fs::read(trial.path("index.txt")).unwrap();
    let first = row(1).to_line().len();
    assert_eq!(before[..first], after[..first]);
    assert_eq!(after[first], b'#');
    let expected: Vec<u8> = [row(MANY + 1), revoked(2)]
        .map(|row| row.to_line())
        .concat();
    assert_eq!(&after[before.len()..], expected);
    let mut rows = 0;
    folder
        .each(&mut |_| {
            rows += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(rows, MANY + 1);
}

#[test]
fn what_somebody_else_changes_is_noticed() {
    let trial = Trial::new("noticed", MANY);
    assert_eq!(
        trial.open().unwrap().record(&number(5)).unwrap(),
        Some(row(5))
    );
    let mut text = fs::read(trial.path("index.txt")).unwrap();
    text.extend(row(MANY + 9).to_line());
    fs::write(trial.path("index.txt.new"), text).unwrap();
    fs::rename(trial.path("index.txt.new"), trial.path("index.txt")).unwrap();
    let mut folder = trial.open().unwrap();
    assert_eq!(
        folder.record(&number(MANY + 9)).unwrap(),
        Some(row(MANY + 9))
    );
}

#[test]
fn a_damaged_side_index_is_made_again() {
    let trial = Trial::new("damaged", MANY);
    drop(trial.open().unwrap());
    let path = trial.path("index.txt.side");
    for damage in [&b"rubbish"[..], b""] {
        fs::write(&path, damage).unwrap();
        assert_eq!(
            trial.open().unwrap().record(&number(5)).unwrap(),
            Some(row(5))
        );
    }
}

#[test]
fn revoking_most_of_a_large_index_leaves_a_clean_one() {
    let trial = Trial::new("clean", MANY);
    for serial in 1..=MANY {
        if serial % 5 == 1 {
            // Opening is where comments are dropped.
            drop(trial.open().unwrap());
        }
        trial.open().unwrap().commit(revoke(serial)).unwrap();
    }
    drop(trial.open().unwrap());
    let text = fs::read_to_string(trial.path("index.txt")).unwrap();
    let comments = text.lines().filter(|line| line.starts_with('#')).count() as u64;
    assert!(comments < MANY, "{comments} comments");
    assert_eq!(trial.lines().len() as u64, MANY);
}

#[test]
fn expired_records_are_marked_in_both_sizes() {
    for count in [20, MANY] {
        let trial = Trial::new(&format!("expired{count}"), count);
        let now = crate::x509::time::parse("330101000000Z").unwrap();
        let edits = vec![Change::Record(Edit::Expire(now))];
        trial.open().unwrap().commit(edits).unwrap();
        let expired = trial
            .lines()
            .iter()
            .filter(|line| line.starts_with("E\t"))
            .count();
        assert_eq!(expired as u64, count * 4 / 10);
        let mut folder = trial.open().unwrap();
        assert_eq!(
            folder.record(&number(1)).unwrap().unwrap().status,
            Status::Expired
        );
        assert_eq!(folder.valid_subject(&row(1).name).unwrap(), None);
    }
}

#[test]
fn twins_are_found_in_both_sizes() {
    for count in [3, MANY] {
        let trial = Trial::new(&format!("twins{count}"), count);
        let twin = Row {
            serial: number(count + 1),
            ..row(1)
        };
        let mut folder = trial.open().unwrap();
        assert!(folder.unique_subject().unwrap());
        folder
            .commit(vec![Change::Record(Edit::Add(twin))])
            .unwrap();
        assert!(folder.unique_subject().is_err());
        // Without the first of the two, the other one is the only one, and is found.
        folder.commit(revoke(1)).unwrap();
        assert!(folder.unique_subject().unwrap());
        assert!(folder.valid_subject(&row(1).name).unwrap().is_some());
    }
}

#[test]
fn wrong_lines_are_told_by_their_number() {
    let good = String::from_utf8(row(1).to_line()).unwrap();
    for (extra, line, said) in [
        ("V\tx\n".to_owned(), "2", "2 fields"),
        (good, "2", "already in line 1"),
        (
            "V\t301231235959Z\t\t02\tunknown\t/CN=to".to_owned(),
            "2",
            "isn't finished",
        ),
    ] {
        for count in [1, MANY] {
            let trial = Trial::new(&format!("wrong{count}"), count);
            let mut text = fs::read(trial.path("index.txt")).unwrap();
            text.extend(extra.bytes());
            fs::write(trial.path("index.txt"), &text).unwrap();
            let before = trial.snapshot();
            let error = trial.open().unwrap_err();
            let line = if count == 1 {
                line.to_owned()
            } else {
                (count + 1).to_string()
            };
            assert!(error.message().contains(said), "{error}");
            assert_eq!(error.code()[4], line);
            let kept: Vec<_> = trial
                .snapshot()
                .into_iter()
                .filter(|(path, _)| !path.ends_with("index.txt.side"))
                .collect();
            assert_eq!(kept, before);
        }
    }
}

#[test]
fn empty_lines_go_with_a_change() {
    for count in [1, MANY] {
        let trial = Trial::new(&format!("empty{count}"), count);
        let mut text = fs::read(trial.path("index.txt")).unwrap();
        text.extend(b"\n");
        fs::write(trial.path("index.txt"), &text).unwrap();
        let mut folder = trial.open().unwrap();
        folder.commit(issue(&trial, count + 1)).unwrap();
        let text = fs::read_to_string(trial.path("index.txt")).unwrap();
        assert!(!text.contains("\n\n"));
        assert_eq!(trial.lines().len() as u64, count + 1);
    }
}

#[test]
fn a_second_command_waits_for_the_lock() {
    let trial = Trial::new("lock", 1);
    let held = trial.open().unwrap();
    let files = held.files.clone();
    let error = Folder::open(files.clone(), Duration::from_millis(20), &mut Nobody).unwrap_err();
    assert_eq!(error.code()[..3], ["TLS", "CA", "DATABASE"]);
    assert!(error.message().contains("held the lock"), "{error}");
    drop(held);
    assert!(Folder::open(files, Duration::from_millis(20), &mut Nobody).is_ok());
}

/// A consistent database in which a change has happened wholly or not at all.
fn check_whole(trial: &Trial, before: &[String], after: &[String], calls: u64) {
    let seen = trial.lines();
    assert!(seen == before || seen == after, "after {calls} calls");
    let mut folder = trial.open().unwrap();
    let next = folder.serial().unwrap();
    assert!(folder.record(&next).unwrap().is_none());
    for path in disk::list(&trial.folder).unwrap() {
        if path.extension().is_some_and(|extension| extension == "pem") {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            let serial = Serial::parse(stem.as_bytes()).unwrap();
            assert!(
                folder.record(&serial).unwrap().is_some(),
                "{stem} after {calls} calls"
            );
            assert!(next > serial, "{stem} after {calls} calls");
            assert_eq!(fs::read(&path).unwrap(), b"certificate");
        }
    }
}

/// The changes that the crash tests make, each with a name.
fn changes(trial: &Trial, count: u64) -> Vec<(&'static str, Vec<Change>)> {
    vec![
        ("issue", issue(trial, count + 1)),
        ("revoke", revoke(3)),
        ("expire", vec![Change::Record(Edit::Expire(2_000_000_000))]),
        ("crl", vec![Change::CrlNumber(number(2))]),
        // So many that their files reach the disk together.
        ("many", {
            let mut all: Vec<Change> = (1..=4)
                .flat_map(|place| issue(trial, count + place))
                .filter(|change| !matches!(change, Change::Serial(_)))
                .collect();
            all.push(Change::Serial(number(count + 5)));
            all
        }),
    ]
}

/// Lets a fault strike at every file system call of every kind of change, and checks what is left.
fn strike_everywhere(kind: fault::Kind, count: u64) -> u64 {
    let mut strikes = 0;
    for which in 0..5 {
        let trial = Trial::new(&format!("strike{kind:?}{count}"), count);
        let (_, change) = changes(&trial, count).swap_remove(which);
        let before = trial.lines();
        drop(trial.open().unwrap());
        trial.open().unwrap().commit(change).unwrap();
        let after = trial.lines();
        for calls in 0.. {
            let trial = Trial::new(&format!("strike{kind:?}{count}"), count);
            let (name, change) = changes(&trial, count).swap_remove(which);
            drop(trial.open().unwrap());
            let untouched = trial.snapshot();
            fault::arm(calls, kind);
            let outcome = trial.open().and_then(|mut folder| folder.commit(change));
            if !fault::disarm() {
                assert_eq!(outcome, Ok(()), "{name}");
                break;
            }
            strikes += 1;
            match kind {
                fault::Kind::Death => {
                    drop(trial.open().unwrap());
                    check_whole(&trial, &before, &after, calls);
                }
                // A failure that the program survives has changed nothing, or everything.
                fault::Kind::NoSpace if outcome.is_err() && trial.lines() == before => {
                    let own = |path: &Path| {
                        let name = path.to_string_lossy();
                        name.ends_with(".journal")
                            || name.ends_with(".side")
                            || name.ends_with(".old")
                    };
                    let left = |state: Vec<(PathBuf, Vec<u8>)>| -> Vec<_> {
                        state.into_iter().filter(|(path, _)| !own(path)).collect()
                    };
                    if name != "crl" {
                        assert_eq!(left(trial.snapshot()), left(untouched), "{name} {calls}");
                    }
                }
                fault::Kind::NoSpace => check_whole(&trial, &before, &after, calls),
            }
            // The next command works.
            let next = trial.open().unwrap().serial().unwrap();
            let low = next
                .magnitude()
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            trial.open().unwrap().commit(issue(&trial, low)).unwrap();
            check_whole(&trial, &trial.lines(), &[], calls);
        }
    }
    strikes
}

#[test]
fn death_at_any_call_leaves_a_whole_small_database() {
    assert!(strike_everywhere(fault::Kind::Death, 5) > 50);
}

#[test]
fn death_at_any_call_leaves_a_whole_large_database() {
    assert!(strike_everywhere(fault::Kind::Death, 90) > 50);
}

#[test]
fn a_full_disk_at_any_call_changes_nothing() {
    assert!(strike_everywhere(fault::Kind::NoSpace, 5) > 50);
    assert!(strike_everywhere(fault::Kind::NoSpace, 90) > 50);
}

#[test]
fn openssl_may_have_used_the_serial_number_of_a_certificate_that_was_never_handed_out() {
    let trial = Trial::new("taken", 2);
    let mut folder = trial.open().unwrap();
    let changes = issue(&trial, 3);
    folder.stage(&changes).unwrap();
    journal::write(
        &journal_path(&folder.files.database),
        &changes,
        &Patches::default(),
    )
    .unwrap();
    // The process dies here; another program gives the serial number to somebody else.
    std::mem::take(&mut folder.prepared.files)
        .into_iter()
        .for_each(std::mem::forget);
    drop(folder);
    let other = Row {
        name: b"/CN=other".to_vec(),
        ..row(3)
    };
    let mut text = fs::read(trial.path("index.txt")).unwrap();
    text.extend(other.to_line());
    fs::write(trial.path("index.txt"), text).unwrap();
    fs::write(trial.path("serial"), "04\n").unwrap();
    folder = trial.open().unwrap();
    assert_eq!(folder.record(&number(3)).unwrap(), Some(other));
    assert!(!trial.path("03.pem").exists());
    assert_eq!(folder.repairs().len(), 1, "{:?}", folder.repairs());
}

#[test]
fn threads_that_issue_at_once_lose_nothing() {
    let trial = Trial::new("threads", 0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let mut folder = trial.open().unwrap();
                    let next = folder.serial().unwrap();
                    let low = next
                        .magnitude()
                        .iter()
                        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                    folder.commit(issue(&trial, low)).unwrap();
                }
            });
        }
    });
    assert_eq!(trial.lines().len(), 200);
    assert_eq!(trial.open().unwrap().serial().unwrap(), number(201));
}

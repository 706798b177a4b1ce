//! What a key can sign: the same small text again and again, in one process over all processors.
//!
//! Usage: `signing KEY SECONDS`. Prints signatures a second by one thread, the same by as many as there are processors, and
//! how many of those took a second of a processor's time.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for a benchmark, which has nobody else to talk to"
)]

use std::env;
use std::fs;
use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;

/// As long as what is signed of a small certificate.
const TEXT: [u8; 500] = [7; 500];

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let key = PKey::private_key_from_pem(&fs::read(&words[0]).unwrap()).unwrap();
    let span = Duration::from_secs(words[1].parse().unwrap());
    let all = thread::available_parallelism().map_or(1, NonZero::get);
    let one = rate(&key, span, 1);
    let before = processor_seconds();
    let many = rate(&key, span, all);
    let spent = processor_seconds() - before;
    let each = (many * span.as_secs()) as f64 / spent;
    println!("{one} {many} {each:.0}");
}

/// How long this process has had processors so far, by the kernel's count of hundredths of a second.
fn processor_seconds() -> f64 {
    let told = fs::read_to_string("/proc/self/stat").unwrap();
    let words: Vec<&str> = told.split_whitespace().collect();
    let ticks = [13, 14].map(|at| words[at].parse::<f64>().unwrap());
    ticks.iter().sum::<f64>() / 100.0
}

/// Signatures a second by so many threads.
fn rate(key: &PKey<Private>, span: Duration, threads: usize) -> u64 {
    let begin = Instant::now();
    let work = || {
        let mut count = 0;
        while begin.elapsed() < span {
            let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
            signer.update(&TEXT).unwrap();
            signer.sign_to_vec().unwrap();
            count += 1;
        }
        count
    };
    let count: u64 = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|one| one.join().unwrap()).sum()
    });
    count / span.as_secs().max(1)
}

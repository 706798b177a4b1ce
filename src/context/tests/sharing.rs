//! Which connections share a context, and which files are read for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::symm::Cipher;

use super::fixtures::*;
use crate::context::{
    Files, Identity, PasswordOwner, Secret, Settings, Source, Stamp, Trust, obtain,
};
use crate::error::{Error, Reason, Result};

/// A server whose certificate and key are in a file of the given name.
fn from_file(name: &str) -> Settings {
    Settings {
        server: true,
        identity: Identity::new(Source::file("-certfile", name), None).unwrap(),
        ..Settings::default()
    }
}

#[test]
fn equal_settings_share_a_context_without_reading_again() {
    let pki = pki();
    let files = Memory::default();
    files.write("share-1", stamp(1), &pki.bundle(&pki.server));
    let first = context_from(&from_file("share-1"), &files).unwrap();
    assert_eq!(files.reads.get(), 1);
    for _ in 0..10 {
        let next = context_from(&from_file("share-1"), &files).unwrap();
        assert!(Arc::ptr_eq(&first, &next));
    }
    assert_eq!(files.reads.get(), 1);
}

#[test]
fn other_settings_have_another_context() {
    let pki = pki();
    let base = pki.client_settings();
    let first = context(&base).unwrap();
    assert!(Arc::ptr_eq(&first, &context(&base).unwrap()));
    let others = [
        Settings {
            require: false,
            ..base.clone()
        },
        Settings {
            cipher: Some("HIGH".to_owned()),
            ..base.clone()
        },
        Settings {
            trust: Trust::default(),
            ..base.clone()
        },
        Settings {
            identity: identity(&pki.bundle(&pki.client)),
            ..base
        },
    ];
    for other in others {
        assert!(!Arc::ptr_eq(&first, &context(&other).unwrap()));
    }
}

#[test]
fn a_file_that_was_touched_is_read_but_not_built_again() {
    let pki = pki();
    let files = Memory::default();
    let bundle = pki.bundle(&pki.server);
    files.write("share-2", stamp(1), &bundle);
    let first = context_from(&from_file("share-2"), &files).unwrap();
    files.write("share-2", stamp(2), &bundle);
    let touched = context_from(&from_file("share-2"), &files).unwrap();
    assert!(Arc::ptr_eq(&first, &touched));
    assert_eq!(files.reads.get(), 2);
}

#[test]
fn a_renewed_file_gives_a_new_context() {
    let pki = pki();
    let files = Memory::default();
    files.write("share-3", stamp(1), &pki.bundle(&pki.server));
    let first = context_from(&from_file("share-3"), &files).unwrap();
    let renewed = party("server.test", Role::Server, Some(&pki.intermediate));
    files.write("share-3", stamp(2), &pki.bundle(&renewed));
    let second = context_from(&from_file("share-3"), &files).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    let serving = second.raw().certificate().unwrap().to_der().unwrap();
    assert_eq!(serving, renewed.certificate.to_der().unwrap());
    files.write("share-3", stamp(3), b"garbage");
    assert!(context_from(&from_file("share-3"), &files).is_err());
}

#[test]
fn a_file_just_written_is_not_trusted_by_its_stamp() {
    let pki = pki();
    let files = Memory::default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut fresh = stamp(1);
    fresh.modified = now - Duration::from_millis(100);
    files.write("share-4", fresh, &pki.bundle(&pki.server));
    let first = context_from(&from_file("share-4"), &files).unwrap();
    // The same stamp, but another content.
    files.write("share-4", fresh, &pki.bundle(&pki.client));
    let second = context_from(&from_file("share-4"), &files).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
}

#[test]
fn a_virtual_file_is_read_each_time() {
    let pki = pki();
    let files = Memory::default();
    files.write("share-5", stamp(0), &pki.bundle(&pki.server));
    let first = context_from(&from_file("share-5"), &files).unwrap();
    let second = context_from(&from_file("share-5"), &files).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(files.reads.get(), 2);
}

#[test]
fn a_context_unlocked_by_a_password_is_for_its_owner_only() {
    let pki = pki();
    let key = pki
        .server
        .key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"swordfish")
        .unwrap();
    let certificate = Source::bytes("-cert", Secret::from(&pki.server.pem()[..]));
    let key = Source::bytes("-key", Secret::from(&key[..]));
    let settings = Settings {
        server: true,
        identity: Identity::new(certificate, key).unwrap(),
        ..Settings::default()
    };
    let (one, two) = (
        PasswordOwner::new(1, "script"),
        PasswordOwner::new(2, "script"),
    );
    let (first, asked) = context_with_password(&settings, "swordfish", one);
    let first = first.unwrap();
    assert_eq!(asked, 1);
    let (again, asked) = context_with_password(&settings, "anything", one);
    assert!(Arc::ptr_eq(&first, &again.unwrap()));
    assert_eq!(asked, 0);

    // Another interpreter, another script and nobody at all have to show that they know the password.
    let (wrong, asked) = context_with_password(&settings, "wrong", two);
    assert_eq!((wrong.is_err(), asked), (true, 1));
    let (wrong, _) = context_with_password(&settings, "wrong", PasswordOwner::new(1, "other"));
    assert!(wrong.is_err());
    assert!(context(&settings).is_err());

    let (right, _) = context_with_password(&settings, "swordfish", two);
    assert!(!Arc::ptr_eq(&first, &right.unwrap()));
    let (again, asked) = context_with_password(&settings, "", one);
    assert!(Arc::ptr_eq(&first, &again.unwrap()));
    assert_eq!(asked, 0);
}

#[test]
fn contexts_that_trust_the_same_share_the_store() {
    let pki = pki();
    let base = pki.client_settings();
    let other = Settings {
        identity: identity(&pki.bundle(&pki.client)),
        ..base.clone()
    };
    let store = |settings: &Settings| {
        let context = context(settings).unwrap();
        std::ptr::from_ref(context.raw().cert_store()).addr()
    };
    assert_eq!(store(&base), store(&other));
}

#[test]
fn contexts_serve_many_threads_at_once() {
    let pki = pki();
    let (server, client) = (pki.server_settings(), pki.client_settings());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (server, client) = (server.clone(), client.clone());
            std::thread::spawn(move || {
                for _ in 0..5 {
                    let (server, client) = (context(&server).unwrap(), context(&client).unwrap());
                    Pair::of(&client, &server).talk();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// An interpreter that has no access to files.
struct Denied;

impl Files for Denied {
    fn stamp(&self, _path: &str) -> Option<Stamp> {
        None
    }

    fn read(&self, path: &str) -> Result<Secret> {
        Err(Error::failed(
            Reason::ImportOption,
            format!("{path} denied"),
        ))
    }

    fn native(&self, path: &str) -> Result<PathBuf> {
        Err(Error::failed(
            Reason::ImportOption,
            format!("{path} denied"),
        ))
    }
}

#[test]
fn who_may_not_see_files_gets_nothing_that_others_built_from_them() {
    let pki = pki();
    let folder = std::env::temp_dir().join(format!("tls-denied-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("root.pem");
    std::fs::write(&file, pki.root.pem()).unwrap();
    let (folder_name, name) = (folder.to_str().unwrap(), file.to_str().unwrap());
    let uri = format!("file:{name}");
    let files = Memory::default();
    files.write(name, stamp(9), &pki.root.pem());
    for trust in [
        Trust::new(Source::file("-cafile", name), None, None),
        Trust::new(None, Some(folder_name), None),
        Trust::new(None, None, Some(name)),
        Trust::new(None, None, Some(&uri)),
    ] {
        let settings = Settings {
            trust,
            ..pki.client_settings()
        };
        context_from(&settings, &files).unwrap();
        let mut password = |_| Ok(Secret::default());
        let denied = obtain(&settings, &Denied, &mut password, None);
        assert!(denied.unwrap_err().message().contains("denied"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

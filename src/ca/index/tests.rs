//! The forms of text that an index has to keep readable for OpenSSL.

use super::*;

#[test]
fn a_comment_in_a_records_place_is_one_for_openssl_too() {
    for len in 40..1300 {
        let mut line = vec![b'x'; len - 1];
        line.push(b'\n');
        let comment = as_comment(&line);
        assert_eq!(comment.len(), len);
        for part in comment.split_inclusive(|byte| *byte == b'\n') {
            // OpenSSL reads 511 bytes at a time and looks for the sign at the start of each piece.
            assert!(part.starts_with(b"#") && part.len() < 511, "{len}");
            assert!(part.ends_with(b"\n"), "{len}");
        }
    }
}

//! SECURITY.md names the tests that show what it says.

use std::fs;

use crate::shipped;

#[test]
fn the_tests_that_are_named_are_there() {
    let text = fs::read_to_string(shipped("SECURITY.md")).unwrap();
    let mut named = 0;
    for part in text.split("[`").skip(1) {
        let (test, rest) = part.split_once("`](").unwrap();
        let (file, _) = rest.split_once(')').unwrap();
        let code = fs::read_to_string(shipped(file)).unwrap_or_default();
        assert!(code.contains(&format!("fn {test}(")), "{test} in {file}");
        named += 1;
    }
    assert!(named > 20, "{named}");
}

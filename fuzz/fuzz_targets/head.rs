#![no_main]

use bulkd::error::Kind;
use bulkd::http::body::{self, MemoryBudget};
use bulkd::http::head::{Framing, Head};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 64 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((head, length))) = Head::parse(bytes) else { return };
    assert!(head.path().starts_with('/') || head.path().starts_with('*'));
    assert!(!head.path().contains('?') && !head.query().contains(['\r', '\n', ' ']));
    assert_eq!((head.keeps_alive(), head.expects_continue()), (head.keeps_alive(), head.expects_continue()));
    for value in head.headers("host").chain(head.headers("connection")) {
        assert!(!value.contains(&b'\n'));
    }
    // What is read does not depend on what has arrived beyond it, and is not read before it is whole.
    let (again, again_length) = Head::parse(&bytes[..length]).unwrap().unwrap();
    assert_eq!((again.path(), again.query(), again_length), (head.path(), head.query(), length));
    assert!(!matches!(Head::parse(&bytes[..length - 1]), Ok(Some(_))));

    let Ok(framing) = head.framing() else { return };
    let budget = MemoryBudget::new(2 * LIMIT);
    let mut rest = &bytes[length..];
    match body::read(&mut rest, framing, LIMIT, &mut budget.reserve()) {
        Ok(body) => {
            assert!(body.len() <= LIMIT && body.len() <= bytes.len() - length - rest.len());
            assert!(framing == Framing::Chunked || framing == Framing::Length(body.len() as u64));
        }
        Err(error) => assert!(matches!(error.kind(), Kind::Invalid | Kind::BodyTooLarge), "{error}"),
    }
    // All of the budget has been given back.
    assert_eq!(
        body::read(&mut &[0; 2 * LIMIT][..], Framing::Length(2 * LIMIT as u64), 2 * LIMIT, &mut budget.reserve())
            .unwrap()
            .len(),
        2 * LIMIT
    );
});

#![no_main]

use bulkd::error::Kind;
use bulkd::http::body::{BodyReader, MemoryBudget};
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
    let rest = &bytes[length..];
    let whole = read(framing, LIMIT, &budget, [rest]);
    match &whole {
        Ok((taken, Some(body))) => {
            assert!(body.len() <= LIMIT && body.len() <= *taken);
            assert!(framing == Framing::Chunked || framing == Framing::Length(body.len() as u64));
        }
        Ok((taken, None)) => assert_eq!(*taken, rest.len()),
        Err(kind) => assert!(matches!(kind, Kind::Invalid | Kind::BodyTooLarge), "{kind:?}"),
    }
    // The pieces in which it comes make no difference.
    assert_eq!(read(framing, LIMIT, &budget, rest.chunks(1)), whole);
    assert_eq!(read(framing, LIMIT, &budget, rest.chunks(7)), whole);
    // All of the budget has been given back.
    let most = read(Framing::Length(2 * LIMIT as u64), 2 * LIMIT, &budget, [&[0; 2 * LIMIT][..]]);
    assert_eq!(most.unwrap().0, 2 * LIMIT);
});

/// How many bytes the body takes, and the body if it is whole.
fn read<'a>(
    framing: Framing,
    limit: usize,
    budget: &MemoryBudget,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(usize, Option<Vec<u8>>), Kind> {
    let mut reader = BodyReader::new(framing, limit, budget).map_err(|error| error.kind())?;
    let mut taken = 0;
    for piece in pieces {
        taken += reader.take(piece).map_err(|error| error.kind())?;
    }
    Ok((taken, reader.is_whole().then(|| reader.finish().0)))
}

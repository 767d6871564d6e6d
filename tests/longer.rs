//! Says at the end of `cargo test` how to test for longer. It has no test of its own.

const LONGER: &str = "
These were the short forms. Longer ones, with the same assertions:
  BULKD_TEST_LONG=1 cargo test            all of them, as .ci/run does
  BULKD_TEST_ROUNDS=200 cargo test crash  kills at random; BULKD_TEST_CLIENTS for more clients
  BULKD_TEST_ROUNDS=1000 cargo test model sequences of requests against the model
  PROPTEST_CASES=10000 cargo test properties
  BULKD_SOAK_SECONDS=600 cargo test soak
BULKD_TEST_SEED takes back the seed that a random test has printed.
";

fn main() {
    let is_filtered = std::env::args().len() > 1;
    let is_long = std::env::var("BULKD_TEST_LONG").is_ok_and(|value| !value.is_empty() && value != "0");
    if !is_filtered && !is_long {
        println!("{LONGER}");
    }
}

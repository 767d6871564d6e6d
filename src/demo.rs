//! stub
pub fn run(
    _: &crate::cli::Demo,
    _: fn() -> crate::error::Result<signal_hook::iterator::Signals>,
) -> crate::error::Result<()> {
    Ok(())
}

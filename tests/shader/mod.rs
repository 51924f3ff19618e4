//! Texts of kernels, as a driver takes them.

/// What a driver makes of a kernel's text, or what is wrong with it.
pub(crate) fn wgsl(text: &str) -> Result<naga::Module, String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let flags = naga::valid::ValidationFlags::all();
    let valid = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty()).validate(&module);
    valid.map_err(|e| e.emit_to_string(text))?;
    Ok(module)
}

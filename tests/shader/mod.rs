//! Texts of kernels, as a driver takes them.

/// What a driver makes of a kernel's text, or what is wrong with it.
pub(crate) fn wgsl(text: &str) -> Result<naga::Module, String> {
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let flags = naga::valid::ValidationFlags::all();
    // Every WebGPU device unpacks f16; none but some computes with it.
    let capabilities = naga::valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let valid = naga::valid::Validator::new(flags, capabilities).validate(&module);
    valid.map_err(|e| e.emit_to_string(text))?;
    Ok(module)
}

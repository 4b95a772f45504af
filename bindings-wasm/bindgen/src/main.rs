//! `cutover-wasm-bindgen <in.wasm> <page> <script>`: writes the JavaScript that loads the
//! WebAssembly, and beside it the WebAssembly that fits it. `<page>` gets an ECMAScript module for
//! browsers, and `<script>` one that sets a variable, which the package `cutover` puts into a
//! `CommonJS` module.

use std::error::Error;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, page, script] = arguments.as_slice() else {
        eprintln!("usage: cutover-wasm-bindgen <in.wasm> <page> <script>");
        return ExitCode::from(2);
    };
    let made = write(Bindgen::new().typescript(true).web(true), input, page).and_then(|()| {
        let mut bindgen = Bindgen::new();
        write(bindgen.omit_default_module_path(true).no_modules(true), input, script)
    });
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn write<E: Into<Box<dyn Error>>>(
    bindgen: Result<&mut Bindgen, E>,
    input: &str,
    out: &str,
) -> Result<(), Box<dyn Error>> {
    let bindgen = bindgen.map_err(Into::into)?;
    let mut output = bindgen
        .input_path(input)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()?;
    // Only a linker reads this section, and no build links the output.
    output.wasm_mut().customs.remove_raw("target_features");
    Ok(output.emit(out)?)
}

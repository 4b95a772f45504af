//! `cutover-wasm-bindgen <in.wasm> <out directory>`: writes the JavaScript module that loads the
//! WebAssembly, and beside it the WebAssembly that fits it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, out] = arguments.as_slice() else {
        eprintln!("usage: cutover-wasm-bindgen <in.wasm> <out directory>");
        return ExitCode::from(2);
    };
    let made = wasm_bindgen_cli_support::Bindgen::new()
        .input_path(input)
        .web(true)
        .and_then(|bindgen| {
            bindgen
                .typescript(true)
                .remove_name_section(true)
                .remove_producers_section(true)
                .generate_output()
        })
        .and_then(|mut output| {
            // Only a linker reads this section, and no build links the output.
            output.wasm_mut().customs.remove_raw("target_features");
            output.emit(out)
        });
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

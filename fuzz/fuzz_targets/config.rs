//! Any text as a configuration.
#![no_main]

use config::{Options, dump, load_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let options = Options { no_files: true, ..Options::default() };
    let (plan, diagnostics) = load_text("fuzz", &text, &options);
    assert_eq!(plan.is_none(), diagnostics.has_errors());
    // Every mark lies in the text, and whatever it underlines can be printed.
    let printed = diagnostics.render(false);
    assert_eq!(printed.is_empty(), diagnostics.is_empty());
    assert!(diagnostics.iter().all(|diagnostic| !diagnostic.message().is_empty()));
    let Some(plan) = plan else { return };
    // The same text gives the same plan.
    let (again, _) = load_text("fuzz", &text, &options);
    assert_eq!(again.map(|again| dump(&again)), Some(dump(&plan)));
    for (index, service) in plan.services.iter().enumerate() {
        assert_eq!(service.id, index);
    }
    for (index, backend) in plan.backends.iter().enumerate() {
        assert_eq!(backend.id, index);
    }
});

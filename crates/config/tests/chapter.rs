//! The excerpts in the chapter on configuration can be read. (Whole configurations of the manual are read by the tests
//! of `pound`.)

use config::{Options, load_text};

/// What the excerpts refer to.
const AROUND: &str = "ListenHTTP\n\tPort 8080\nEnd\n\
                      Backend \"app\"\n\tAddress 192.0.2.1\nEnd\n\
                      ACL \"office\"\n\t192.0.2.0/24\nEnd\n";

#[test]
fn excerpts_can_be_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manual/configuration.md");
    let chapter = std::fs::read_to_string(path).unwrap();
    let mut seen = 0;
    for piece in chapter.split("```pound\n").skip(1) {
        // The directory of a `SendFile` must be there.
        let excerpt = piece.split("```").next().unwrap().replace("/srv/docs", env!("CARGO_MANIFEST_DIR"));
        let text = if excerpt.contains("ListenHTTP") {
            excerpt
        } else if excerpt.starts_with("Service") {
            format!("{AROUND}{excerpt}")
        } else {
            format!("{AROUND}Service\n{excerpt}\tSuccess\nEnd\n")
        };
        let (plan, diagnostics) = load_text("configuration.md", &text, &Options::default());
        assert!(plan.is_some(), "{}", diagnostics.render(false));
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} excerpts were found");
}

#[test]
fn what_is_said_in_the_chapter_is_said() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manual/configuration.md");
    let chapter = std::fs::read_to_string(path).unwrap();
    let text = "ListenHTTP\n\tPort 8080\n\tService\n\t\tBackend\n\t\t\tPort 80\n\t\t\tAdress 192.0.2.1\n\t\tEnd\n\tEnd\nEnd\n";
    let (_, diagnostics) = load_text("pound.cfg", text, &Options::default());
    assert!(chapter.contains(&diagnostics.render(false)), "{}", diagnostics.render(false));
}

use super::features::{Deprecated, IncludeDir};
use super::*;

fn read(line: &str) -> Result<Wish, String> {
    parse(line.split_whitespace().map(OsString::from))
}

#[test]
fn no_words_mean_serve_with_the_defaults() {
    assert_eq!(read(""), Ok(Wish::Serve(Arguments::default())));
}

#[test]
fn options_may_stand_together_or_apart() {
    let expect = Arguments {
        file: Some("a.cfg".into()),
        pid_file: Some("-".into()),
        to_stderr: true,
        foreground: true,
        verbose: true,
        features: Features::default(),
    };
    assert_eq!(read("-c -e -F -v -f a.cfg -p -"), Ok(Wish::Check(expect)));
    let Ok(Wish::Check(together)) = read("-ceFvfa.cfg -p-") else { panic!("refused") };
    assert_eq!(together.file, Some("a.cfg".into()));
    assert_eq!(together.pid_file, Some("-".into()));
    assert!(together.to_stderr && together.foreground && together.verbose);
}

#[test]
fn help_takes_the_name_of_a_directive() {
    assert_eq!(read("-h"), Ok(Wish::Help(None)));
    assert_eq!(read("--help"), Ok(Wish::Help(None)));
    assert_eq!(read("-h Backend"), Ok(Wish::Help(Some("Backend".into()))));
    assert_eq!(read("-hBackend"), Ok(Wish::Help(Some("Backend".into()))));
    assert_eq!(read("-c -h"), Ok(Wish::Help(None)));
    assert_eq!(read("-V"), Ok(Wish::Version));
    assert_eq!(read("--version"), Ok(Wish::Version));
}

#[test]
fn the_demo_has_its_own_options() {
    assert_eq!(read("demo"), Ok(Wish::Demo(Demo { duration: None, port: 8080 })));
    let expect = Demo { duration: Some(Duration::from_secs(20)), port: 9000 };
    assert_eq!(read("demo --seconds 20 --port=9000"), Ok(Wish::Demo(expect)));
}

#[test]
fn features_are_read_one_by_one_and_the_last_counts() {
    let line = "-W sighup=stop -W include-dir=/srv/conf -W deprecated=error -W no-dns -W no-close-extra-fds";
    let Ok(Wish::Serve(arguments)) = read(line) else { panic!("refused") };
    let expect = Features {
        sighup: Sighup::Stop,
        include_dir: IncludeDir::Path("/srv/conf".into()),
        deprecated: Deprecated::Refuse,
        dns: false,
        close_extra_fds: false,
    };
    assert_eq!(arguments.features, expect);
    let line = "-Wsighup=stop -Wsighup=ignore -Wno-dns -Wdns -Wno-include-dir -Wdeprecated=error -Wwarn-deprecated \
                -Wno-close-extra-fds -Wclose-extra-fds";
    let Ok(Wish::Serve(arguments)) = read(line) else { panic!("refused") };
    assert_eq!(arguments.features, Features { include_dir: IncludeDir::None, ..Features::default() });
}

/// What is refused, and a word that the sentence must hold.
const REFUSED: &[(&str, &str)] = &[
    ("-x", "-x"),
    ("--nonsense", "--nonsense"),
    ("-f", "-f"),
    ("-p", "-p"),
    ("pound.cfg", "-f"),
    ("-c demo", "demo"),
    ("demo --seconds", "--seconds"),
    ("demo --seconds 0", "from 1 to 86400"),
    ("demo --seconds ten", "\"ten\""),
    ("demo --port 65536", "from 1 to 65535"),
    ("demo -f x", "--seconds N and --port N"),
    ("demo now", "now"),
    ("-W", "-W"),
    ("-W speed=high", "sighup=stop|ignore"),
    ("-W speed=high", "close-extra-fds"),
    ("-W sighup", "needs a value"),
    ("-W sighup=", "stop or ignore"),
    ("-W sighup=reload", "not supported yet"),
    ("-W include-dir=", "needs a directory"),
    ("-W deprecated=maybe", "ok, warn or error"),
    ("-W dnsx", "does not know"),
    ("-W debug=ast", "not supported yet"),
    ("-W preprocess=m4", "not supported yet"),
];

#[test]
fn what_is_not_understood_is_refused_in_one_sentence() {
    for (line, word) in REFUSED {
        let sentence = read(line).expect_err(line);
        assert!(sentence.contains(word), "{line}: {sentence}");
        assert!(!sentence.contains('\n'), "{line}: {sentence}");
    }
}

#[test]
fn the_help_names_every_option_and_every_feature() {
    let text = help();
    for option in
        ["-c", "-e", "-F", "-f FILE", "-p FILE", "-v", "-V", "-h", "-W FEATURE", "demo", "--seconds"]
    {
        assert!(text.contains(option), "{option} is not in the help");
    }
    for feature in features::FEATURES {
        assert!(text.contains(feature.usage), "{} is not in the help", feature.usage);
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "wider than a terminal: {line}");
    }
}

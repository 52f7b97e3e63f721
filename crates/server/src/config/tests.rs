use super::*;
use clap::CommandFactory;

fn serve(flags: &[&str]) -> Result<Serve, clap::Error> {
    let words = ["banter", "serve"].iter().chain(flags).copied();
    match Cli::try_parse_from(words)?.command {
        Command::Serve(serve) => Ok(*serve),
        other => panic!("not serve: {other:?}"),
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn defaults_are_those_of_the_tests() {
    let given = serve(&[]).expect("defaults").edge;
    let settings = given.settings(Secret([0; 32]), Senses::real());
    let default = ServeSettings { listen: settings.listen, ..ServeSettings::default() };
    assert_eq!(format!("{settings:?}"), format!("{default:?}"));
    assert_eq!(given.listen.to_string(), "127.0.0.1:3100");
}

#[test]
fn a_setting_that_cannot_work_is_refused() {
    for bad in [
        &["--listen", "nowhere"][..],
        &["--listen", "127.0.0.1:99999"],
        &["--body-limit", "-1"],
        &["--token-days", "0"],
        &["--log", "xml"],
        &["--file-limit", "10"],
        &["--file-types", "image"],
        &["--file-url-seconds", "0"],
        &["--public-url", "chat.example"],
        &["--s3-endpoint", "s3.example"],
        &["--app-id", "a"],
        &["--api-key", "k"],
    ] {
        assert!(serve(bad).is_err(), "{bad:?}");
    }
    assert!(serve(&["--app-id", "a", "--api-key", "k", "--client-key", "c"]).is_ok());
}

#[test]
fn help_shows_every_setting_with_its_twin_and_no_secret() {
    let mut all = Vec::new();
    Cli::command().write_long_help(&mut all).expect("help");
    let help = String::from_utf8(all).expect("text");
    for part in ["--listen", "BANTER_LISTEN", "127.0.0.1:3100", "--rate-limit", "6000", "rotate-key", "BANTER_DATABASE"]
    {
        assert!(help.contains(part), "{part} is missing:\n{help}");
    }
    for command in Cli::command().get_subcommands() {
        for arg in command
            .get_arguments()
            .filter(|arg| arg.get_long().is_some_and(|long| !["help", "version"].contains(&long)))
        {
            assert!(arg.get_env().is_some(), "{} has no twin", arg.get_id());
        }
    }
}

//! Settings as a start meets them.

#![allow(clippy::unwrap_used)]

use std::fs;

use tollkeeper_runtime::settings::{
    AuditSettings, Binary, BrokerSettings, ByteSize, DatabaseSettings, InternalListenSettings,
    JwksSource, JwtKeys, JwtSettings, ListenSettings, LogSettings, OperatorSettings, SettingsError,
    Source, SpoolFull, SpoolSettings, TokenSettings, UsageSettings, VerificationSettings,
};

fn source(pairs: &[(&str, &str)]) -> Source {
    Source::from_pairs(Binary::Api, pairs.iter().copied()).unwrap()
}

fn refused<T>(result: Result<T, SettingsError>) -> String {
    match result {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn defaults_are_valid_for_every_binary() {
    for binary in [Binary::Api, Binary::Ingestor, Binary::Ctl] {
        let source = Source::from_pairs(binary, []).unwrap();
        ListenSettings::read(&source).unwrap();
        LogSettings::read(&source).unwrap();
        assert!(OperatorSettings::read(&source).unwrap().keys.is_empty());
        assert!(JwtSettings::read(&source).unwrap().is_none());
        assert_eq!(
            TokenSettings::read(&source).unwrap().max_lifetime_days,
            Some(365)
        );
        let cache = VerificationSettings::read(&source).unwrap().cache_bytes;
        assert_eq!(cache, ByteSize(256 << 20));
        assert_eq!(SpoolSettings::read(&source).unwrap().full, SpoolFull::Drop);
        assert_eq!(UsageSettings::read(&source).unwrap().retention_days, 90);
        assert_eq!(AuditSettings::read(&source).unwrap().retention_days, 365);
    }
}

#[test]
fn the_internal_ports_of_api_and_ingestor_differ() {
    let port = |binary| {
        let source = Source::from_pairs(binary, []).unwrap();
        InternalListenSettings::read(&source)
            .unwrap()
            .address
            .port()
    };
    assert_eq!(port(Binary::Api), 8081);
    assert_eq!(port(Binary::Ingestor), 8082);
}

#[test]
fn the_audit_log_is_kept_for_a_month_at_least() {
    let of = |days| source(&[("TOLLKEEPER_AUDIT_RETENTION_DAYS", days)]);
    for (days, expected) in [("30", 30), ("36500", 36_500)] {
        let settings = AuditSettings::read(&of(days)).unwrap();
        assert_eq!(settings.retention_days, expected);
    }
    for days in ["29", "0", "36501", "-1", "always"] {
        let message = refused(AuditSettings::read(&of(days)));
        assert!(
            message.contains("TOLLKEEPER_AUDIT_RETENTION_DAYS"),
            "{message}"
        );
    }
}

#[test]
fn what_is_missing_is_named() {
    let empty = source(&[]);
    assert!(refused(DatabaseSettings::read(&empty)).starts_with("TOLLKEEPER_DATABASE_URL"));
    assert!(refused(BrokerSettings::read(&empty)).starts_with("TOLLKEEPER_NATS_URL"));
}

#[test]
fn an_unknown_setting_is_named_with_what_was_meant() {
    let pairs = [("TOLLKEEPER_LISTN", "127.0.0.1:1"), ("UNRELATED", "x")];
    let message = refused(Source::from_pairs(Binary::Api, pairs));
    assert!(message.contains("TOLLKEEPER_LISTN"), "{message}");
    assert!(
        message.contains("did you mean TOLLKEEPER_LISTEN?"),
        "{message}"
    );
}

#[test]
fn invalid_values_are_named_with_their_origin() {
    let bad = source(&[
        ("TOLLKEEPER_LISTEN", "everywhere"),
        ("TOLLKEEPER_TOKEN_BRAND", "Big Brand"),
        ("TOLLKEEPER_CACHE_BYTES", "plenty"),
        ("TOLLKEEPER_SPOOL_FULL", "panic"),
        ("TOLLKEEPER_USAGE_IP", "some"),
        ("TOLLKEEPER_LOG", "info,what=ever=this"),
        ("TOLLKEEPER_TRUSTED_PROXIES", "10.0.0.0/99"),
    ]);
    for (message, name) in [
        (refused(ListenSettings::read(&bad)), "LISTEN"),
        (refused(TokenSettings::read(&bad)), "TOKEN_BRAND"),
        (refused(VerificationSettings::read(&bad)), "CACHE_BYTES"),
        (refused(SpoolSettings::read(&bad)), "SPOOL_FULL"),
        (refused(UsageSettings::read(&bad)), "USAGE_IP"),
        (refused(LogSettings::read(&bad)), "LOG"),
        (refused(OperatorSettings::read(&bad)), "TRUSTED_PROXIES"),
    ] {
        let start = format!("TOLLKEEPER_{name} (from the environment)");
        assert!(message.starts_with(&start), "{message}");
    }
}

#[test]
fn connections_and_tokens_of_the_start_have_bounds() {
    let few = source(&[
        ("TOLLKEEPER_MAX_CONNECTIONS", "15"),
        ("TOLLKEEPER_PRELOAD_TOKENS", "-1"),
    ]);
    let message = refused(ListenSettings::read(&few));
    assert!(
        message.starts_with("TOLLKEEPER_MAX_CONNECTIONS"),
        "{message}"
    );
    let message = refused(VerificationSettings::read(&few));
    assert!(
        message.starts_with("TOLLKEEPER_PRELOAD_TOKENS"),
        "{message}"
    );
    let said = source(&[
        ("TOLLKEEPER_MAX_CONNECTIONS", "16"),
        ("TOLLKEEPER_PRELOAD_TOKENS", "0"),
    ]);
    assert_eq!(ListenSettings::read(&said).unwrap().connections, 16);
    assert_eq!(VerificationSettings::read(&said).unwrap().preload_tokens, 0);
    let usual = source(&[]);
    assert_eq!(ListenSettings::read(&usual).unwrap().connections, 16_384);
    assert_eq!(
        VerificationSettings::read(&usual).unwrap().preload_tokens,
        10_000
    );
}

#[test]
fn several_operator_keys_work_side_by_side_and_stay_unseen() {
    let (old, new) = ("o".repeat(32), "n".repeat(40));
    let value = format!("old:{old}, new:{new}");
    let settings = OperatorSettings::read(&source(&[("TOLLKEEPER_OPERATOR_KEY", &value)])).unwrap();
    assert_eq!(settings.keys.len(), 2);
    assert_eq!(settings.keys[1].name, "new");
    assert_eq!(settings.keys[1].key.expose(), new);
    assert!(!format!("{settings:?}").contains(&old));
}

#[test]
fn a_lifetime_beyond_the_calendar_is_refused_with_its_bound() {
    let read = |days| TokenSettings::read(&source(&[("TOLLKEEPER_MAX_TOKEN_LIFETIME_DAYS", days)]));
    let longest = read("36500").unwrap().max_lifetime_days;
    assert_eq!(longest, Some(36_500));
    assert_eq!(read("0").unwrap().max_lifetime_days, None);
    let message = refused(read("36501"));
    assert!(message.contains("at most 36500"), "{message}");
}

#[test]
fn a_brand_has_two_to_eight_small_letters_or_digits() {
    let read = |brand| TokenSettings::read(&source(&[("TOLLKEEPER_TOKEN_BRAND", brand)]));
    for brand in ["tk", "a1b2c3d4"] {
        assert_eq!(read(brand).unwrap().brand, brand);
    }
    for brand in ["t", "a1b2c3d4e", "Tk", "t_k", "tö"] {
        let message = refused(read(brand));
        assert!(message.contains("TOLLKEEPER_TOKEN_BRAND"), "{message}");
    }
}

#[test]
fn a_weak_operator_key_is_refused_without_being_repeated() {
    let swapped = format!("{}hunter2:ops", "a".repeat(32));
    let twice = format!("hunter2:{0},hunter2:{0}", "k".repeat(32));
    for value in [
        "short:hunter2",
        "hunter2",
        "Bad Name:hunter2",
        "a:hunter2",
        "hunter2 hunter2:a",
        &swapped,
        &twice,
    ] {
        let source = source(&[("TOLLKEEPER_OPERATOR_KEY", value)]);
        let message = refused(OperatorSettings::read(&source));
        assert!(message.starts_with("TOLLKEEPER_OPERATOR_KEY"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn half_a_jwt_configuration_is_refused() {
    let long = "s".repeat(32);
    let half = source(&[("TOLLKEEPER_JWT_HS256_SECRET", &long)]);
    assert!(refused(JwtSettings::read(&half)).starts_with("TOLLKEEPER_JWT_ISSUER"));
    let weak = source(&[
        ("TOLLKEEPER_JWT_ISSUER", "https://login.example.com"),
        ("TOLLKEEPER_JWT_AUDIENCE", "tollkeeper"),
        ("TOLLKEEPER_JWT_HS256_SECRET", "short"),
    ]);
    assert!(refused(JwtSettings::read(&weak)).contains("32 bytes"));
}

#[test]
fn keys_of_jwts_are_a_secret_or_a_set() {
    let read = |more: &[(&str, &str)]| {
        let mut pairs = vec![
            ("TOLLKEEPER_JWT_ISSUER", "https://login.example.com"),
            ("TOLLKEEPER_JWT_AUDIENCE", "tollkeeper"),
        ];
        pairs.extend(more);
        JwtSettings::read(&source(&pairs))
    };
    for (text, expected) in [
        ("/etc/keys.json", JwksSource::File("/etc/keys.json".into())),
        ("keys.json", JwksSource::File("keys.json".into())),
    ] {
        let settings = read(&[("TOLLKEEPER_JWT_JWKS", text)]).unwrap().unwrap();
        assert!(matches!(settings.keys, JwtKeys::Jwks(found) if found == expected));
    }
    for url in [
        "https://login.example.com/keys",
        "http://localhost:8080/keys",
        "http://127.0.0.2/keys",
        "http://[::1]:1/keys",
    ] {
        let settings = read(&[("TOLLKEEPER_JWT_JWKS", url)]).unwrap().unwrap();
        let found = matches!(settings.keys, JwtKeys::Jwks(JwksSource::Url(found)) if found == url);
        assert!(found, "{url}");
    }
    for (url, why) in [
        ("http://login.example.com/keys", "https"),
        ("http://localhost.example.com/keys", "https"),
        ("http://10.0.0.1/keys", "https"),
        ("ftp://localhost/keys", "https"),
        ("file:///etc/keys.json", "https"),
        ("https://", "not a URL"),
        ("https://user:hunter2@login.example.com/keys", "password"),
    ] {
        let message = refused(read(&[("TOLLKEEPER_JWT_JWKS", url)]));
        assert!(message.starts_with("TOLLKEEPER_JWT_JWKS"), "{message}");
        assert!(
            message.contains(why) && !message.contains("hunter2"),
            "{message}"
        );
    }
    let long = "s".repeat(32);
    let both = refused(read(&[
        ("TOLLKEEPER_JWT_JWKS", "keys.json"),
        ("TOLLKEEPER_JWT_HS256_SECRET", &long),
    ]));
    assert!(both.contains("TOLLKEEPER_JWT_JWKS"), "{both}");
    assert!(both.contains("TOLLKEEPER_JWT_HS256_SECRET"), "{both}");
    assert!(!both.contains(&long), "{both}");
    assert!(refused(read(&[])).starts_with("TOLLKEEPER_JWT_HS256_SECRET"));
}

#[test]
fn a_secret_may_come_from_a_file_but_not_from_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    fs::write(&path, "postgres://localhost/tollkeeper\n").unwrap();
    let path = path.to_str().unwrap();

    let by_file = source(&[("TOLLKEEPER_DATABASE_URL_FILE", path)]);
    let settings = DatabaseSettings::read(&by_file).unwrap();
    assert_eq!(settings.url.expose(), "postgres://localhost/tollkeeper");

    let twice = source(&[
        ("TOLLKEEPER_DATABASE_URL_FILE", path),
        ("TOLLKEEPER_DATABASE_URL", "postgres://elsewhere/tollkeeper"),
    ]);
    assert!(refused(DatabaseSettings::read(&twice)).contains("set twice"));

    let absent = source(&[("TOLLKEEPER_DATABASE_URL_FILE", "/nowhere/url")]);
    assert!(refused(DatabaseSettings::read(&absent)).contains("/nowhere/url"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tollkeeper.toml");
    let text = "listen = '127.0.0.1:1'\nTOLLKEEPER_TOKEN_BRAND = 'acme'\nspool_bytes = 1048576\n";
    fs::write(&path, text).unwrap();
    let source = source(&[
        ("TOLLKEEPER_CONFIG", path.to_str().unwrap()),
        ("TOLLKEEPER_LISTEN", "127.0.0.1:2"),
    ]);
    assert_eq!(ListenSettings::read(&source).unwrap().address.port(), 2);
    assert_eq!(TokenSettings::read(&source).unwrap().brand, "acme");
    let bytes = SpoolSettings::read(&source).unwrap().bytes;
    assert_eq!(bytes, ByteSize(1 << 20));
}

#[test]
fn a_broken_or_misspelt_file_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tollkeeper.toml");
    let path_text = path.to_str().unwrap();
    for (text, expected) in [
        ("listen = ", "tollkeeper.toml"),
        ("lisetn = '127.0.0.1:1'", "TOLLKEEPER_LISETN"),
        ("listen = ['a', 'b']", "listen must be a text"),
    ] {
        fs::write(&path, text).unwrap();
        let result = Source::from_pairs(Binary::Api, [("TOLLKEEPER_CONFIG", path_text)]);
        let message = refused(result);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn empty_is_not_set() {
    let source = source(&[("TOLLKEEPER_LISTEN", "")]);
    assert_eq!(ListenSettings::read(&source).unwrap().address.port(), 8080);
}

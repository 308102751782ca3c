//! Starting, stopping, and the command line.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use black_box_tests::{Ended, Setup, workspace};
use serde_json::Value;

/// What fails the start, and how it is said: the exit code for a fault of the operator.
const BAD_SETTINGS: i32 = 2;

const STRONG_KEY: &str = "Zk3vQ8mT5xWb2nR7yLc9dHf4jKs6pAg1eUo0iVtXwCz";

fn production() -> anyhow::Result<Setup> {
    Ok(Setup::new()?
        .without("RATE_LIMITS")
        .without("BCRYPT_COST")
        .with("ENVIRONMENT", "production")
        .with("SECRET_KEY", STRONG_KEY)
        .with("ENGINE", "mock"))
}

fn names_all(ended: &Ended, names: &[&str]) {
    let output = ended.output();
    assert_eq!(ended.code, Some(BAD_SETTINGS), "{output}");
    for name in names {
        assert!(output.contains(name), "{name} is not named in:\n{output}");
    }
}

#[tokio::test]
async fn the_description_is_printed_without_a_server() -> anyhow::Result<()> {
    let ended = Setup::new()?.run(&["openapi"]).await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let description: Value = serde_json::from_str(&ended.stdout)?;
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    assert!(description["paths"]["/api/transcription"]["post"].is_object());
    Ok(())
}

#[tokio::test]
async fn the_settings_are_printed_without_their_secrets() -> anyhow::Result<()> {
    let secrets = [
        ("SECRET_KEY", STRONG_KEY),
        ("ASSEMBLYAI_API_KEY", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
        ("PASSWORD_PEPPER", "pepper-canary-6d0b8f1c5e0b7a924d3680f2"),
    ];
    let setup = Setup::new()?.with("APP_NAME", "Scriptorium");
    let setup = secrets.iter().fold(setup, |setup, (name, value)| setup.with(name, value));
    let ended = setup.run(&["config"]).await?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("Scriptorium"), "{}", ended.stdout);
    assert!(ended.stdout.contains(&setup.port().to_string()), "{}", ended.stdout);
    for (name, value) in secrets {
        assert!(!ended.output().contains(value), "{name} is shown:\n{}", ended.output());
    }
    Ok(())
}

#[tokio::test]
async fn every_wrong_setting_is_named_at_once() -> anyhow::Result<()> {
    let faults = [
        ("PORT", "seventy"),
        ("LOG_FORMAT", "xml"),
        ("TRUSTED_PROXIES", "bananas"),
        ("RATE_LIMITS", "auth_login=often"),
        ("MOCK_DELAY_MS", "-1"),
    ];
    let setup = faults.iter().fold(Setup::new()?, |setup, (name, value)| setup.with(name, value));
    names_all(&setup.run(&["serve"]).await?, &faults.map(|(name, _)| name));
    assert!(!setup.data().exists(), "a refused start leaves nothing behind");
    Ok(())
}

#[tokio::test]
async fn production_refuses_what_is_only_fit_for_a_desk() -> anyhow::Result<()> {
    let setup = production()?
        .without("ENGINE")
        .without("SECRET_KEY")
        .with("CORS_ORIGINS", "*")
        .with("RATE_LIMITS", "off")
        .with("BCRYPT_COST", "9");
    let names = ["SECRET_KEY", "ASSEMBLYAI_API_KEY", "CORS_ORIGINS", "RATE_LIMITS", "BCRYPT_COST"];
    names_all(&setup.run(&["serve"]).await?, &names);
    Ok(())
}

#[tokio::test]
async fn production_refuses_keys_that_anyone_could_guess() -> anyhow::Result<()> {
    for key in [
        "short",
        "your-secret-key-change-in-production",
        "change-me-in-production-use-strong-random-key",
        "dev-secret-key-change-in-prod",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        let ended = production()?.with("SECRET_KEY", key).run(&["serve"]).await?;
        names_all(&ended, &["SECRET_KEY"]);
        assert!(!ended.output().contains(key), "the key is repeated:\n{}", ended.output());
    }
    for key in ["your-assemblyai-key", "change-me"] {
        let setup = production()?.without("ENGINE").with("ASSEMBLYAI_API_KEY", key);
        names_all(&setup.run(&["serve"]).await?, &["ASSEMBLYAI_API_KEY"]);
    }
    Ok(())
}

#[tokio::test]
async fn production_starts_with_a_good_key_and_the_mock_by_name() -> anyhow::Result<()> {
    let setup = production()?;
    assert_eq!(setup.run(&["migrate", "up"]).await?.code, Some(0));
    let service = setup.start().await?;
    let health = service.client().get("/health", None).await?.expect(200)?;
    assert_eq!(health.json["environment"], "production");
    Ok(())
}

#[tokio::test]
async fn development_makes_a_secret_of_its_own_and_keeps_it() -> anyhow::Result<()> {
    let setup = Setup::new()?.with("ENVIRONMENT", "development").without("SECRET_KEY");
    let setup = setup.without("BCRYPT_COST").without("ASSEMBLYAI_API_KEY");
    let mut service = setup.start().await?;
    let account = service.client().account("ada@example.com").await?;
    service.terminate(Duration::from_secs(30)).await?;
    service.restart().await?;
    account.get("/api/auth/me").await?.expect(200)?;

    let kept = workspace::files(&service.setup().data(), "")?;
    let secret = kept.iter().find(|path| path.to_string_lossy().contains("secret"));
    let mode = secret.expect("a file with the secret").metadata()?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}

#[tokio::test]
async fn a_request_to_end_is_obeyed_and_loses_no_job() -> anyhow::Result<()> {
    let mut service = Setup::new()?.with("MOCK_DELAY_MS", "1500").start().await?;
    let account = service.client().account("ada@example.com").await?;
    let created = account.create("https://youtu.be/dQw4w9WgXcQ").await?.expect(201)?;
    let ended = service.terminate(Duration::from_secs(30)).await?;
    assert_eq!(ended.code(), Some(0), "{}", service.log()?);

    service.restart().await?;
    let job = account.until_ended(created.word("id")?).await?;
    assert_eq!(job.json["status"], "completed", "{}", job.text);
    assert_eq!(job.json["retry_count"], 0, "an orderly end counts against no job");
    Ok(())
}

#[tokio::test]
async fn a_second_process_on_the_same_database_is_refused() -> anyhow::Result<()> {
    let service = Setup::new()?.start().await?;
    let second = service.setup().clone().on_another_port()?.run(&["serve"]).await?;
    assert!(second.code.is_some_and(|code| code != 0), "{second:?}");
    assert!(second.output().contains("saas-ia.db"), "{}", second.output());
    service.client().get("/health/ready", None).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn the_health_command_tells_by_its_exit_code() -> anyhow::Result<()> {
    let mut service = Setup::new()?.start().await?;
    let up = service.setup().run(&["health"]).await?;
    assert_eq!(up.code, Some(0), "{}", up.output());
    service.kill().await?;
    let down = service.setup().run(&["health"]).await?;
    assert_eq!(down.code, Some(1), "{}", down.output());
    Ok(())
}

#[tokio::test]
async fn a_probe_is_found_by_its_name_or_its_path() -> anyhow::Result<()> {
    let setup = Setup::new()?;
    let probe = setup.folder().join("probe of mine");
    fs::write(&probe, "#!/bin/sh\nexit 1\n")?;
    let path = probe.to_string_lossy().into_owned();
    let unusable = setup.clone().with("FFPROBE_PATH", &path).run(&["serve"]).await?;
    names_all(&unusable, &["FFPROBE_PATH"]);

    fs::set_permissions(&probe, Permissions::from_mode(0o755))?;
    let folder = setup.folder().to_string_lossy().into_owned();
    for (chosen, search) in [(path.as_str(), "/"), ("probe of mine", folder.as_str())] {
        let setup = setup.clone().with("PATH", search).with("FFPROBE_PATH", chosen);
        let shown = setup.run(&["config"]).await?;
        assert!(shown.stdout.contains(&format!("FFPROBE_PATH={path}\n")), "{}", shown.output());
    }
    let nowhere = setup.clone().with("FFPROBE_PATH", "no-such-probe").run(&["serve"]).await?;
    names_all(&nowhere, &["FFPROBE_PATH"]);
    let without = setup.with("PATH", "/").run(&["config"]).await?;
    assert!(without.stdout.contains("FFPROBE_PATH=\n"), "{}", without.output());
    Ok(())
}

#[tokio::test]
async fn an_unknown_command_is_a_mistake_of_the_operator() -> anyhow::Result<()> {
    let ended = Setup::new()?.run(&["dance"]).await?;
    assert_eq!(ended.code, Some(BAD_SETTINGS), "{}", ended.output());
    assert!(ended.stderr.contains("dance"), "{}", ended.stderr);
    Ok(())
}

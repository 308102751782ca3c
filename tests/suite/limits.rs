//! Rate limits as a client meets them. How windows open and close is tested with a clock of its
//! own, not here.

use black_box_tests::{Answer, Setup};

const NOBODY: &str = "nobody@example.com";

fn limited() -> anyhow::Result<Setup> {
    Ok(Setup::new()?.without("RATE_LIMITS"))
}

/// The numbers of a `RateLimit` header: what remains, and in how many seconds the window ends.
fn numbers(answer: &Answer) -> Option<(u64, u64)> {
    let (_, parameters) = answer.header("RateLimit").split_once(';')?;
    let (remaining, reset) = parameters.split_once(';')?;
    Some((remaining.strip_prefix("r=")?.parse().ok()?, reset.strip_prefix("t=")?.parse().ok()?))
}

#[tokio::test]
async fn the_sixth_sign_in_of_a_minute_is_refused_with_the_true_numbers() -> anyhow::Result<()> {
    let service = limited()?.start().await?;
    for left in (0..5).rev() {
        let answer = service.client().login(NOBODY, "wrong").await?.expect(401)?;
        assert_eq!(answer.word("code")?, "invalid_credentials");
        assert_eq!(answer.header("WWW-Authenticate"), "Bearer");
        assert_eq!(answer.header("RateLimit-Policy"), "\"auth_login\";q=5;w=60");
        assert_eq!(numbers(&answer).map(|(remaining, _)| remaining), Some(left));
    }

    let refused = service.client().login(NOBODY, "wrong").await?.expect(429)?;
    assert_eq!(refused.header("Content-Type"), "application/problem+json");
    assert_eq!(refused.header("X-RateLimit-Limit"), "5/minute");
    let (remaining, reset) = numbers(&refused).expect("a RateLimit header");
    let retry_after: u64 = refused.header("Retry-After").parse()?;
    assert_eq!((remaining, reset), (0, retry_after));
    assert!((1..=60).contains(&retry_after), "{retry_after}");
    assert_eq!(refused.word("error")?, "rate_limit_exceeded");
    assert_eq!(refused.word("code")?, "rate_limit_exceeded");
    assert_eq!(refused.word("message")?, "Rate limit exceeded: 5 per 1 minute");
    assert_eq!(refused.word("retry_after")?, format!("{retry_after} seconds"));
    assert_eq!(refused.json["status"], 429);
    assert_eq!(refused.word("request_id")?, refused.header("X-Request-Id"));

    let log = service.log()?;
    assert!(log.contains("rate_limit_exceeded"), "{log}");
    assert!(!log.contains(NOBODY), "an address got into the log:\n{log}");
    Ok(())
}

#[tokio::test]
async fn a_forged_forwarding_header_opens_no_new_window() -> anyhow::Result<()> {
    let service = limited()?.start().await?;
    for at in 0..5 {
        let forged = format!("203.0.113.{at}");
        let headers = [("X-Forwarded-For", forged.as_str())];
        service.client().login_with(&headers, NOBODY, "wrong").await?.expect(401)?;
    }
    let headers = [("X-Forwarded-For", "203.0.113.99")];
    service.client().login_with(&headers, NOBODY, "wrong").await?.expect(429)?;
    Ok(())
}

#[tokio::test]
async fn behind_a_trusted_proxy_every_client_has_a_window_of_its_own() -> anyhow::Result<()> {
    let service = limited()?.with("TRUSTED_PROXIES", "127.0.0.0/8").start().await?;
    let client = service.client();
    for _ in 0..5 {
        let headers = [("X-Forwarded-For", "203.0.113.1")];
        client.login_with(&headers, NOBODY, "wrong").await?.expect(401)?;
    }
    let same = [("X-Forwarded-For", "198.51.100.7, 203.0.113.1")];
    client.login_with(&same, NOBODY, "wrong").await?.expect(429)?;
    let other = [("X-Forwarded-For", "203.0.113.2")];
    client.login_with(&other, NOBODY, "wrong").await?.expect(401)?;
    Ok(())
}

#[tokio::test]
async fn a_budget_can_be_set_and_turned_off() -> anyhow::Result<()> {
    let budgets = "auth_login=2/minute,health=off";
    let service = Setup::new()?.with("RATE_LIMITS", budgets).start().await?;
    for status in [401, 401, 429] {
        service.client().login(NOBODY, "wrong").await?.expect(status)?;
    }
    for _ in 0..110 {
        service.client().get("/health", None).await?.expect(200)?;
    }
    Ok(())
}

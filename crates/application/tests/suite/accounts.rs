//! Registering, signing in, and who is calling.

#![expect(clippy::unwrap_used, reason = "what a test takes for granted fails it")]

use std::{sync::Arc, time::Duration};

use application::{
    Adapters, ErrorKind, Services, UseCaseError,
    accounts::{CallerError, LoginError, RegisterAccount, RegisterError},
    limits::Quotas,
    ports::{Clock, HashError, PasswordHasher, UserRepository, Verified},
    uploads::UploadLimits,
};
use async_trait::async_trait;
use chrono::TimeDelta;
use domain::{
    AddressPolicy, Email, FullName, Password, PasswordDigest, Role, User, UserId, UserParts,
};
use testkit::fakes::{self, Down, Fakes, PlainHasher};

const ADDRESS: &str = "bob@example.com";
const PASSWORD: &str = "correct horse battery";

fn services(adapters: &Adapters) -> Services {
    adapters.services(Quotas::OFF, AddressPolicy::default(), UploadLimits::default())
}

fn command() -> RegisterAccount {
    let email = Email::parse(ADDRESS).unwrap();
    RegisterAccount {
        password: Password::choose(PASSWORD, Some(&email)).unwrap(),
        full_name: Some(FullName::parse("Bob").unwrap()),
        email,
    }
}

async fn registered(fakes: &Fakes) -> User {
    services(&fakes.adapters()).accounts.register(command()).await.unwrap()
}

#[tokio::test]
async fn registering_stores_an_active_ordinary_account_with_a_digest() {
    let fakes = fakes::adapters();
    let user = registered(&fakes).await;
    let parts = user.parts();
    assert_eq!((parts.role, parts.is_active), (Role::User, true));
    assert_eq!((parts.created_at, parts.updated_at), (fakes.clock.now(), fakes.clock.now()));
    assert_eq!(parts.full_name.as_ref().map(FullName::as_str), Some("Bob"));
    assert_ne!(parts.password.expose(), PASSWORD);
    assert_eq!(fakes.store.users(), [user]);
    assert_eq!(fakes.hasher.hashes(), 1);
}

#[tokio::test]
async fn a_taken_address_is_refused_before_a_hash_is_spent() {
    let fakes = fakes::adapters();
    registered(&fakes).await;
    let again = services(&fakes.adapters()).accounts.register(command()).await.unwrap_err();
    assert!(matches!(again, RegisterError::EmailTaken), "{again:?}");
    assert_eq!((again.kind(), again.code()), (ErrorKind::Conflict, "email_already_registered"));
    assert_eq!(fakes.hasher.hashes(), 1);
    assert_eq!(fakes.store.users().len(), 1);
}

#[tokio::test]
async fn of_many_who_register_one_address_at_once_one_wins() {
    let fakes = fakes::adapters();
    let adapters =
        Adapters { hasher: Arc::new(Yielding(fakes.hasher.clone())), ..fakes.adapters() };
    let services = Arc::new(services(&adapters));
    let racing: Vec<_> = (0..20)
        .map(|_| {
            let services = Arc::clone(&services);
            tokio::spawn(async move { services.accounts.register(command()).await })
        })
        .collect();
    let mut won = 0;
    for outcome in racing {
        match outcome.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert!(matches!(error, RegisterError::EmailTaken), "{error:?}"),
        }
    }
    assert_eq!((won, fakes.store.users().len()), (1, 1));
    assert_eq!(fakes.hasher.hashes(), 20, "all passed the first look, and the store decided");
}

#[tokio::test]
async fn an_overloaded_hasher_is_reported_with_a_delay_and_nothing_is_stored() {
    let fakes = fakes::adapters();
    let delay = Duration::from_secs(3);
    fakes.hasher.overload(delay);
    let services = services(&fakes.adapters());
    let register = services.accounts.register(command()).await.unwrap_err();
    assert_eq!((register.kind(), register.code()), (ErrorKind::Unavailable, "overloaded"));
    assert_eq!(register.retry_after(), Some(delay));
    let login = services.accounts.login(ADDRESS, PASSWORD).await.err().unwrap();
    assert_eq!((login.kind(), login.code()), (ErrorKind::Unavailable, "overloaded"));
    assert_eq!(login.retry_after(), Some(delay));
    assert!(fakes.store.users().is_empty());
}

#[tokio::test]
async fn the_right_password_yields_a_token_that_names_its_account_until_it_expires() {
    let fakes = fakes::adapters();
    let user = registered(&fakes).await;
    let services = services(&fakes.adapters());
    let issued = services.accounts.login(ADDRESS, PASSWORD).await.unwrap();
    let identify = || services.accounts.identify(&issued.token);
    assert_eq!(identify(), Ok(user.parts().id));
    let lifetime = TimeDelta::from_std(issued.expires_in).unwrap();
    fakes.clock.advance(lifetime - TimeDelta::microseconds(1));
    assert!(identify().is_ok());
    fakes.clock.advance(TimeDelta::microseconds(1));
    assert!(identify().is_err());
}

#[tokio::test]
async fn an_address_is_recognised_however_it_is_written() {
    let fakes = fakes::adapters();
    registered(&fakes).await;
    let services = services(&fakes.adapters());
    assert!(services.accounts.login("  BOB@Example.COM ", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn every_refused_login_costs_one_hash_and_answers_alike() {
    let fakes = fakes::adapters();
    let user = registered(&fakes).await;
    let services = services(&fakes.adapters());
    let mut answers = Vec::new();
    for (case, address, password, active) in [
        ("a wrong password", ADDRESS, "wrong", true),
        ("an empty password", ADDRESS, "", true),
        ("a password of a megabyte", ADDRESS, &*"x".repeat(1 << 20), true),
        ("an unknown address", "alice@example.com", PASSWORD, true),
        ("an empty address", "", PASSWORD, true),
        ("what is no address", "bob\0@", PASSWORD, true),
        ("a disabled account", ADDRESS, PASSWORD, false),
    ] {
        assert!(fakes.store.set_active(user.parts().id, active));
        let before = fakes.hasher.hashes();
        let refused = services.accounts.login(address, password).await;
        let Err(error @ LoginError::InvalidCredentials) = refused else { panic!("{case}") };
        assert_eq!(fakes.hasher.hashes() - before, 1, "{case}");
        answers.push((error.kind(), error.code(), error.to_string(), error.retry_after()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn a_login_hashes_an_outdated_digest_anew() {
    let fakes = fakes::adapters();
    let user = registered(&fakes).await;
    let id = user.parts().id;
    let outdated = PlainHasher::outdated_digest(PASSWORD);
    fakes.store.replace_password(id, &user.parts().password, &outdated).await.unwrap();
    let services = services(&fakes.adapters());

    let before = fakes.hasher.hashes();
    assert!(services.accounts.login(ADDRESS, "wrong").await.is_err());
    assert_eq!(fakes.hasher.hashes() - before, 1, "a wrong password changes nothing");
    assert_eq!(stored_digest(&fakes, id), outdated);

    services.accounts.login(ADDRESS, PASSWORD).await.unwrap();
    let fresh = stored_digest(&fakes, id);
    let verified = fakes.hasher.verify(PASSWORD, Some(&fresh)).await.unwrap();
    assert_eq!(verified, Verified { matches: true, outdated: false });

    services.accounts.login(ADDRESS, PASSWORD).await.unwrap();
    assert_eq!(stored_digest(&fakes, id), fresh, "once is enough");
}

#[tokio::test]
async fn a_caller_is_let_in_while_the_account_is_there_and_enabled() {
    let fakes = fakes::adapters();
    let user = registered(&fakes).await;
    let id = user.parts().id;
    let services = services(&fakes.adapters());
    assert_eq!(services.accounts.caller(id).await.unwrap(), user);

    fakes.store.set_active(id, false);
    let disabled = services.accounts.caller(id).await.unwrap_err();
    assert!(matches!(disabled, CallerError::Disabled), "{disabled:?}");
    assert_eq!((disabled.kind(), disabled.code()), (ErrorKind::Forbidden, "account_disabled"));

    let nobody = UserId::from_uuid(uuid::Uuid::nil());
    let gone = services.accounts.caller(nobody).await.unwrap_err();
    assert!(matches!(gone, CallerError::Unknown), "{gone:?}");
    assert_eq!((gone.kind(), gone.code()), (ErrorKind::Unauthenticated, "invalid_token"));
}

#[tokio::test]
async fn without_a_database_every_use_case_of_accounts_is_unavailable() {
    let fakes = fakes::adapters();
    let services = services(&Adapters { users: Arc::new(Down), ..fakes.adapters() });
    let accounts = &services.accounts;
    let nobody = UserId::from_uuid(uuid::Uuid::nil());
    let errors: [Box<dyn UseCaseError>; 3] = [
        Box::new(accounts.register(command()).await.unwrap_err()),
        Box::new(accounts.login(ADDRESS, PASSWORD).await.err().unwrap()),
        Box::new(accounts.caller(nobody).await.unwrap_err()),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(error.code(), "temporarily_unavailable");
        assert!(!error.to_string().contains("refused"), "the cause is for the log: {error}");
    }
}

#[tokio::test]
async fn an_account_that_is_disabled_between_two_logins_keeps_its_password() {
    let fakes = fakes::adapters();
    let user = registered(&fakes).await;
    let services = services(&fakes.adapters());
    fakes.store.set_active(user.parts().id, false);
    assert!(services.accounts.login(ADDRESS, PASSWORD).await.is_err());
    fakes.store.set_active(user.parts().id, true);
    assert!(services.accounts.login(ADDRESS, PASSWORD).await.is_ok());
    let UserParts { password, .. } = user.parts().clone();
    assert_eq!(stored_digest(&fakes, user.parts().id), password);
}

fn stored_digest(fakes: &Fakes, id: UserId) -> PasswordDigest {
    let users = fakes.store.users();
    users.iter().find(|user| user.parts().id == id).unwrap().parts().password.clone()
}

/// Lets the others run before it hashes, so that all of them look for the address first.
struct Yielding(Arc<PlainHasher>);

#[async_trait]
impl PasswordHasher for Yielding {
    async fn hash(&self, password: &str) -> Result<PasswordDigest, HashError> {
        tokio::task::yield_now().await;
        self.0.hash(password).await
    }

    async fn verify(
        &self,
        password: &str,
        digest: Option<&PasswordDigest>,
    ) -> Result<Verified, HashError> {
        self.0.verify(password, digest).await
    }
}

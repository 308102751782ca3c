//! What every [`UserRepository`] must do.

use application::ports::{Clock, InsertUserError, UserRepository};
use domain::{Email, PasswordDigest, User, UserId, UserParts};
use futures_util::future::join_all;

use super::{TestClock, a_user};

fn someone() -> User {
    a_user(TestClock::at_noon().now())
}

/// An account is found by its identifier and by its address, as it was stored.
pub async fn an_account_reads_back_equal(users: &dyn UserRepository) {
    let named = someone();
    let nameless = User::restore(UserParts {
        full_name: None,
        role: domain::Role::Admin,
        is_active: false,
        ..someone().parts().clone()
    });
    for user in [named, nameless] {
        users.insert(&user).await.expect("it is stored");
        let by_id = users.find(user.parts().id).await.expect("it is read");
        assert_eq!(by_id.as_ref(), Some(&user));
        let by_email = users.find_by_email(&user.parts().email).await.expect("it is read");
        assert_eq!(by_email, Some(user));
    }
}

/// Absence is no error.
pub async fn nobody_is_found_who_is_not_there(users: &dyn UserRepository) {
    let stranger = someone();
    assert_eq!(users.find(stranger.parts().id).await.expect("it is read"), None);
    let found = users.find_by_email(&stranger.parts().email).await.expect("it is read");
    assert_eq!(found, None);
}

/// One of many concurrent registrations of an address wins; the others are told why they lost.
pub async fn an_address_has_one_account_however_many_ask(users: &dyn UserRepository) {
    let email = Email::parse("wanted@example.com").expect("an address");
    let rivals: Vec<User> = (0..20)
        .map(|_| User::restore(UserParts { email: email.clone(), ..someone().parts().clone() }))
        .collect();
    let results = join_all(rivals.iter().map(|rival| users.insert(rival))).await;
    let mut winners = Vec::new();
    for (rival, result) in rivals.iter().zip(results) {
        match result {
            Ok(()) => winners.push(rival.clone()),
            Err(InsertUserError::EmailTaken) => {
                let absent = users.find(rival.parts().id).await.expect("it is read");
                assert_eq!(absent, None, "a loser leaves nothing");
            }
            Err(InsertUserError::Failed(error)) => panic!("it is answered: {error:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    let stored = users.find_by_email(&email).await.expect("it is read");
    assert_eq!(stored.as_ref(), winners.first());
}

/// A digest is replaced, and nothing else.
pub async fn a_password_is_replaced(users: &dyn UserRepository) {
    let (user, other) = (someone(), someone());
    users.insert(&user).await.expect("it is stored");
    users.insert(&other).await.expect("it is stored");
    let fresh = PasswordDigest::new("fresh");
    let id = user.parts().id;
    users.replace_password(id, &user.parts().password, &fresh).await.expect("it is replaced");

    let stored = stored(users, id).await;
    let expected = UserParts {
        password: fresh,
        updated_at: stored.parts().updated_at,
        ..user.parts().clone()
    };
    assert_eq!(stored.parts(), &expected);
    let untouched = users.find(other.parts().id).await.expect("it is read");
    assert_eq!(untouched, Some(other));
}

/// Who replaces a digest that is no longer there changes nothing, without an error.
pub async fn a_password_that_changed_meanwhile_is_kept(users: &dyn UserRepository) {
    let user = someone();
    users.insert(&user).await.expect("it is stored");
    let (stale, fresh) = (PasswordDigest::new("stale"), PasswordDigest::new("fresh"));
    let id = user.parts().id;
    users.replace_password(id, &stale, &fresh).await.expect("it is no error");
    assert_eq!(stored(users, id).await, user);
    let nobody = someone().parts().id;
    users.replace_password(nobody, &stale, &fresh).await.expect("it is no error");
}

async fn stored(users: &dyn UserRepository, id: UserId) -> User {
    users.find(id).await.expect("it is read").expect("it is there")
}

//! Registering, signing in, and one's own account.

use actix_web::{HttpRequest, HttpResponse, web};
use application::accounts::RegisterAccount;
use domain::{Email, FullName, Password};

use crate::{
    ApiState,
    body::{
        self, AUTH_LIMIT,
        form::{self, Fields},
        members::required,
    },
    middleware::principal::Caller,
    problem::{ApiError, Fault},
    wire::accounts::{
        LoginForm, LoginMultipart, LoginRequest, RegisterRequest, TokenPair, UserBody,
    },
};

/// Opens an account
///
/// E-mail addresses are compared in lower case. A password is 8 to 128 characters of any script.
#[utoipa::path(post, path = "/api/auth/register", tag = "accounts", operation_id = "register",
    request_body(content = RegisterRequest, description = "The new account."),
    responses((status = 201, description = "The account was opened.", body = UserBody)))]
pub(crate) async fn register(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let command = registration(body::object(&request, payload, AUTH_LIMIT).await?)?;
    let user = state.services.accounts.register(command).await?;
    Ok(HttpResponse::Created().json(UserBody::from(&user)))
}

/// Signs in
///
/// The body is the password form of `OAuth2`, urlencoded or as multipart, or the same two members as
/// JSON. An unknown address, a wrong password and a disabled account are answered alike.
#[utoipa::path(post, path = "/api/auth/login", tag = "accounts", operation_id = "login",
    request_body(description = "The credentials.", content(
        (LoginForm = "application/x-www-form-urlencoded"),
        (LoginMultipart = "multipart/form-data"),
        (LoginRequest = "application/json"))),
    responses((status = 200, description = "Signed in.", body = TokenPair)))]
pub(crate) async fn login(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<web::Json<TokenPair>, ApiError> {
    let (username, password) = credentials(&request, payload).await?;
    let token = state.services.accounts.login(&username, &password).await?;
    Ok(web::Json(TokenPair::from(token)))
}

/// One's own account
#[utoipa::path(get, path = "/api/auth/me", tag = "accounts", operation_id = "getMe",
    responses((status = 200, description = "The account of the token.", body = UserBody)))]
pub(crate) async fn me(caller: Caller) -> web::Json<UserBody> {
    web::Json(UserBody::from(&caller.0))
}

fn registration(mut body: body::members::Members) -> Result<RegisterAccount, ApiError> {
    let email = body.required_text("email");
    let email = email.and_then(|text| body.judged("email", Email::parse(&text)));
    let password = body.required_text("password");
    let password =
        password.and_then(|text| body.judged("password", Password::choose(&text, email.as_ref())));
    let full_name = body.optional_text("full_name");
    let full_name = full_name.and_then(|text| body.judged("full_name", FullName::parse(&text)));
    body.finish()?;
    match (email, password) {
        (Some(email), Some(password)) => Ok(RegisterAccount { email, password, full_name }),
        _ => Err(ApiError::internal()),
    }
}

/// Neither is judged: whatever does not match is refused by the use case, in one way.
async fn credentials(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(String, String), ApiError> {
    if form::is_form(request) {
        return from_form(form::fields(request, payload).await?);
    }
    let mut body = body::object(request, payload, AUTH_LIMIT).await?;
    let pair = (body.required_text("username"), body.required_text("password"));
    body.finish()?;
    match pair {
        (Some(username), Some(password)) => Ok((username, password)),
        _ => Err(ApiError::internal()),
    }
}

fn from_form(fields: Fields) -> Result<(String, String), ApiError> {
    let (mut username, mut password) = (None, None);
    let mut faults = Vec::new();
    for (name, value) in fields {
        let place = match name.as_str() {
            "username" => &mut username,
            "password" => &mut password,
            _ => continue,
        };
        if place.replace(value).is_some() {
            let pointer = format!("/{name}");
            faults.push(Fault::new(pointer, "duplicate_member", "occurs more than once"));
        }
    }
    let missing = [("username", username.is_none()), ("password", password.is_none())];
    faults.extend(missing.into_iter().filter(|(_, it)| *it).map(|(name, _)| required(name)));
    match (username, password) {
        (Some(username), Some(password)) if faults.is_empty() => Ok((username, password)),
        _ => Err(ApiError::invalid(faults)),
    }
}

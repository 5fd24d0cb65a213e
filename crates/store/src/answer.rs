//! What an S3 server's refusal means.

use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::error::{About, ErrorKind, StoreError};
use crate::transport::Response;

/// The longest text of a server that an error repeats, in characters.
const SHOWN: usize = 300;

/// The answer, or the error that it stands for.
pub(crate) fn accepted(response: Response, about: &About) -> Result<Response, StoreError> {
    if response.status.is_success() {
        return Ok(response);
    }
    let body = String::from_utf8_lossy(&response.body);
    let code = element(&body, "Code").unwrap_or_default();
    let region = element(&body, "Region").map(str::to_owned).or_else(|| region(&response));
    let kind = kind(response.status, code, region);
    let said = element(&body, "Message").filter(|message| !message.is_empty());
    let said: String = said.unwrap_or_default().chars().take(SHOWN).collect();
    let words: Vec<&str> = [code, said.as_str()].into_iter().filter(|word| !word.is_empty()).collect();
    let words = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    Err(about.error(kind, format!("the server answers {}{words}", response.status)))
}

/// The region that a bucket says it is in.
pub(crate) fn region(response: &Response) -> Option<String> {
    response.headers.get("x-amz-bucket-region").map(HeaderValue::to_str)?.ok().map(str::to_owned)
}

fn kind(status: StatusCode, code: &str, region: Option<String>) -> ErrorKind {
    match code {
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "ExpiredToken"
        | "NotSignedUp"
        | "InvalidSecurity"
        | "CredentialsNotSupported"
        | "UnauthorizedAccess" => ErrorKind::Credentials,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => ErrorKind::Forbidden,
        "NoSuchBucket" | "InvalidBucketName" => ErrorKind::NoBucket,
        "NoSuchKey" => ErrorKind::NotFound,
        "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" if region.is_some() => {
            ErrorKind::Region { expected: region }
        }
        "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException" | "InvalidRegion" => {
            ErrorKind::Region { expected: region }
        }
        "RequestTimeTooSkewed" => ErrorKind::Clock,
        "SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" | "OperationAborted" => ErrorKind::Busy,
        "StorageFull" | "XMinioStorageFull" | "QuotaExceeded" => ErrorKind::Full,
        _ => by_status(status, !code.is_empty(), region),
    }
}

fn by_status(status: StatusCode, speaks_s3: bool, region: Option<String>) -> ErrorKind {
    match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT if region.is_some() => {
            ErrorKind::Region { expected: region }
        }
        StatusCode::UNAUTHORIZED => ErrorKind::Credentials,
        StatusCode::FORBIDDEN => ErrorKind::Forbidden,
        StatusCode::INSUFFICIENT_STORAGE => ErrorKind::Full,
        StatusCode::TOO_MANY_REQUESTS => ErrorKind::Busy,
        status if status.is_server_error() => ErrorKind::Busy,
        _ if speaks_s3 => ErrorKind::Other,
        _ => ErrorKind::NotS3,
    }
}

/// The text of the first element of that name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::HeaderMap;
    use transship_model::redact::Redactor;

    use super::*;

    fn error(status: u16, body: &str) -> StoreError {
        let about = About { store: "s".parse().expect("a name"), place: "s3", redactor: Redactor::default() };
        let status = StatusCode::from_u16(status).expect("a status");
        let body = Bytes::copy_from_slice(body.as_bytes());
        accepted(Response { status, headers: HeaderMap::new(), body }, &about).expect_err("a refusal")
    }

    #[test]
    fn refusals_have_their_kinds() {
        let xml = |code: &str, more: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code>{more}</Error>");
        let expected = Some("eu-central-1".to_owned());
        let region = "<Message>expecting 'eu-central-1'</Message><Region>eu-central-1</Region>";
        for (status, body, kind) in [
            (403, xml("SignatureDoesNotMatch", ""), ErrorKind::Credentials),
            (403, xml("AccessDenied", "<Message>no</Message>"), ErrorKind::Forbidden),
            (404, xml("NoSuchBucket", ""), ErrorKind::NoBucket),
            (404, xml("NoSuchKey", ""), ErrorKind::NotFound),
            (400, xml("AuthorizationHeaderMalformed", region), ErrorKind::Region { expected }),
            (301, xml("PermanentRedirect", ""), ErrorKind::Region { expected: None }),
            (503, xml("SlowDown", ""), ErrorKind::Busy),
            (502, "<html>bad gateway</html>".to_owned(), ErrorKind::Busy),
            (404, "<html>not found</html>".to_owned(), ErrorKind::NotS3),
            (400, xml("InvalidArgument", ""), ErrorKind::Other),
        ] {
            assert_eq!(error(status, &body).kind, kind, "{status} {body}");
        }
        assert_eq!(
            error(403, &xml("AccessDenied", "<Message>no</Message>")).message,
            "the server answers 403 Forbidden: AccessDenied, no"
        );
    }
}

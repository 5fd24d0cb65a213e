//! Buckets of a real S3 server on this machine, over plain HTTP. Errors are worded as those of CrateDB.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rusty_s3::actions::{GetObject, ListObjectsV2, PutObject};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use url::Url;

use super::files::{Access, NO_REGION};

/// How long a signature holds, and how long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bucket with the keys that open it.
pub(crate) struct Remote {
    bucket: Bucket,
    credentials: Credentials,
}

impl Remote {
    /// A bucket of an endpoint `HOST:PORT`.
    pub(crate) fn new(endpoint: &str, bucket: &str, keys: &(String, String)) -> Access<Self> {
        let url = Url::parse(&format!("http://{endpoint}")).map_err(|error| error.to_string())?;
        let bucket = Bucket::new(url, UrlStyle::Path, bucket.to_owned(), "us-east-1");
        let credentials = Credentials::new(keys.0.clone(), keys.1.clone());
        Ok(Self { bucket: bucket.map_err(|error| error.to_string())?, credentials })
    }

    /// Writes an object.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) -> Access<()> {
        let url = PutObject::new(&self.bucket, Some(&self.credentials), key).sign(PATIENCE);
        ask("write", "PUT", &url, bytes).map(drop)
    }

    /// Reads an object.
    pub(crate) fn get(&self, key: &str) -> Access<Vec<u8>> {
        let url = GetObject::new(&self.bucket, Some(&self.credentials), key).sign(PATIENCE);
        ask("read", "GET", &url, &[]).map_err(|error| format!("Unexpected (permanent) at  => {error}"))
    }

    /// The keys that begin with `prefix`.
    pub(crate) fn list(&self, prefix: &str) -> Access<Vec<String>> {
        let mut keys = Vec::new();
        let mut next = None;
        loop {
            let mut list = ListObjectsV2::new(&self.bucket, Some(&self.credentials));
            list.with_prefix(prefix);
            if let Some(token) = next {
                list.with_continuation_token(token);
            }
            let body = ask("list", "GET", &list.sign(PATIENCE), &[])?;
            let body = String::from_utf8_lossy(&body);
            let page = ListObjectsV2::parse_response(&body).map_err(|error| error.to_string())?;
            keys.extend(page.contents.into_iter().map(|object| object.key));
            next = page.next_continuation_token;
            if next.is_none() {
                return Ok(keys);
            }
        }
    }
}

/// The body of an answer; the error of any but a good one.
fn ask(what: &str, method: &str, url: &Url, body: &[u8]) -> Access<Vec<u8>> {
    // CrateDB asks a server for its region before all else, and says so where there is none.
    let (status, answer) = send(method, url, body).map_err(|_| NO_REGION.to_owned())?;
    if status < 300 {
        return Ok(answer);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let code = element(&answer, "Code");
    let kind = match (status, code) {
        (403, _) => "PermissionDenied (permanent)",
        (_, "NoSuchBucket") => "ConfigInvalid (permanent)",
        (404, _) => "NotFound (permanent)",
        (503, _) => "RateLimited (persistent)",
        _ => "Unexpected (persistent)",
    };
    let message = element(&answer, "Message");
    Err(format!(
        "{kind} at {what} => S3Error {{ code: \"{code}\", message: \"{message}\", resource: \"\", request_id: \"\" }}"
    ))
}

/// The text of an element of XML without attributes.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let rest = xml.split_once(&format!("<{name}>")).map_or("", |(_, rest)| rest);
    rest.split_once("</").map_or("", |(text, _)| text)
}

/// One request by HTTP/1.0, whose answer ends with the connection.
fn send(method: &str, url: &Url, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let mut stream = TcpStream::connect((host, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (path, query, length) = (url.path(), url.query().unwrap_or_default(), body.len());
    write!(stream, "{method} {path}?{query} HTTP/1.0\r\nHost: {host}:{port}\r\nContent-Length: {length}\r\n\r\n")?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let status = String::from_utf8_lossy(&answer[..head]);
    let status = status.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, answer.split_off(head + 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server for one request, which it gives back with the bucket.
    fn serve(answer: &'static str) -> (Remote, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            let ends = |request: &str| {
                if request.starts_with("PUT") { request.ends_with("BODY") } else { request.ends_with("\r\n\r\n") }
            };
            while !ends(&request) {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).unwrap();
                request.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
            stream.write_all(answer.as_bytes()).unwrap();
            request
        });
        let keys = ("access".to_owned(), "s3cret/".to_owned());
        (Remote::new(&endpoint, "bkt", &keys).unwrap(), served)
    }

    #[test]
    fn objects_are_asked_for_with_signatures() {
        let (remote, served) = serve("HTTP/1.1 200 OK\r\n\r\ntext");
        assert_eq!(remote.get("a b/ä.json"), Ok(b"text".to_vec()));
        let request = served.join().unwrap();
        assert!(request.starts_with("GET /bkt/a%20b/%C3%A4.json?"), "{request}");
        assert!(request.contains("X-Amz-Signature=") && !request.contains("s3cret"), "{request}");
        let refused = "HTTP/1.1 403 No\r\n\r\n<Error><Code>SlowDown</Code><Message>m</Message></Error>";
        let (remote, served) = serve(refused);
        let error = remote.put("x", b"BODY").unwrap_err();
        assert!(error.starts_with("PermissionDenied (permanent) at write => S3Error { code: \"SlowDown\""), "{error}");
        assert!(served.join().unwrap().ends_with("Content-Length: 4\r\n\r\nBODY"));
    }

    #[test]
    fn lists_are_read() {
        let (remote, served) = serve(
            "HTTP/1.1 200 OK\r\n\r\n<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bkt</Name><Prefix>p/</Prefix><KeyCount>1</KeyCount>\
             <MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>p/a</Key>\
             <LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"x\"</ETag><Size>1</Size>\
             <StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>",
        );
        assert_eq!(remote.list("p/"), Ok(vec!["p/a".to_owned()]));
        assert!(served.join().unwrap().contains("prefix=p%2F"));
    }

    #[test]
    fn elements_are_found() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message></Message></Error>";
        assert_eq!((element(xml, "Code"), element(xml, "Message"), element(xml, "Region")), ("NoSuchKey", "", ""));
    }
}

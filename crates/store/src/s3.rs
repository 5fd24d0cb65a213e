//! A bucket that speaks S3.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use rusty_s3::actions::{CompleteMultipartUploadResponse, CreateMultipartUpload, ListObjectsV2, ListObjectsV2Response};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use secrecy::ExposeSecret as _;
use tokio::sync::OnceCell;
use transship_model::spec::Protocol;
use transship_model::store::{S3Location, StoreAccess, StoreSecret};

use crate::answer;
use crate::error::{About, ErrorKind, StoreError};
use crate::retry;
use crate::store::Object;
use crate::transport::{Content, Range, Response, Transport};

/// How long a signature holds.
const SIGNED: Duration = Duration::from_mins(15);

/// The region where nothing says another.
const REGION: &str = "us-east-1";

/// Makes the signed URL of a request. Boxed, so that the futures that hold it can be sent between threads.
type Sign<'a> = Box<dyn Fn() -> String + Send + Sync + 'a>;

/// A client of one bucket.
#[derive(Debug)]
pub(crate) struct S3 {
    location: S3Location,
    credentials: Option<Credentials>,
    transport: Transport,
    /// Known once the region is.
    bucket: OnceCell<Bucket>,
    about: About,
}

/// An object of several parts that is not whole yet.
#[derive(Debug)]
pub(crate) struct Parts {
    id: String,
    tags: Vec<String>,
}

impl S3 {
    pub(crate) fn new(location: &S3Location, access: &StoreAccess, about: About) -> Result<Self, StoreError> {
        let value = |secret| access.secret(secret).map(|value| value.expose_secret().to_owned());
        let keys = value(StoreSecret::AccessKey).zip(value(StoreSecret::SecretKey));
        let transport = Transport::new(location.protocol, &about)?;
        Ok(Self {
            location: location.clone(),
            credentials: keys.map(|(key, secret)| Credentials::new(key, secret)),
            transport,
            bucket: OnceCell::new(),
            about,
        })
    }

    pub(crate) async fn put(&self, key: &str, content: Bytes) -> Result<(), StoreError> {
        let bucket = self.bucket().await?;
        let sign = || bucket.put_object(self.credentials.as_ref(), key).sign(SIGNED).into();
        self.send(Box::new(sign), Method::PUT, content).await.map(drop)
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        let bucket = self.bucket().await?;
        let sign = || bucket.get_object(self.credentials.as_ref(), key).sign(SIGNED).into();
        self.send(Box::new(sign), Method::GET, Bytes::new()).await.map(|answer| answer.body)
    }

    /// The bytes of an object from `from` to the one before `to`.
    pub(crate) async fn piece(&self, key: &str, from: u64, to: u64) -> Result<Bytes, StoreError> {
        let bucket = self.bucket().await?;
        let sign = || bucket.get_object(self.credentials.as_ref(), key).sign(SIGNED).into();
        let content = Content { body: Bytes::new(), range: Some(Range { from, to }) };
        self.send(Box::new(sign), Method::GET, content).await.map(|answer| answer.body)
    }

    /// What keys go on with after `prefix` up to the next `/`, with `prefix` and without that `/`.
    pub(crate) async fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let bucket = self.bucket().await?;
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let token = after.take();
            let sign = || {
                let mut action = bucket.list_objects_v2(self.credentials.as_ref());
                action.with_prefix(prefix);
                action.with_delimiter("/");
                if let Some(token) = &token {
                    action.with_continuation_token(token.as_str());
                }
                action.sign(SIGNED).into()
            };
            let answer = self.send(Box::new(sign), Method::GET, Bytes::new()).await?;
            let list = self.listed(&answer)?;
            found.extend(list.common_prefixes.iter().map(|it| it.prefix.trim_end_matches('/').to_owned()));
            after = list.next_continuation_token;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    fn listed(&self, answer: &Response) -> Result<ListObjectsV2Response, StoreError> {
        let text = String::from_utf8_lossy(&answer.body);
        let list = ListObjectsV2::parse_response(&text);
        list.map_err(|error| self.about.error(ErrorKind::Answer, format!("not a list: {error}")))
    }

    /// Removes an object; there may be none.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let bucket = self.bucket().await?;
        let sign = || bucket.delete_object(self.credentials.as_ref(), key).sign(SIGNED).into();
        match self.send(Box::new(sign), Method::DELETE, Bytes::new()).await {
            Err(error) if error.kind != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The objects whose keys begin with `prefix`, at most `most` of them, by key.
    pub(crate) async fn list(&self, prefix: &str, most: usize) -> Result<Vec<Object>, StoreError> {
        let bucket = self.bucket().await?;
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let token = after.take();
            let sign = || {
                let mut action = bucket.list_objects_v2(self.credentials.as_ref());
                action.with_prefix(prefix);
                action.with_max_keys(most.min(1000));
                if let Some(token) = &token {
                    action.with_continuation_token(token.as_str());
                }
                action.sign(SIGNED).into()
            };
            let answer = self.send(Box::new(sign), Method::GET, Bytes::new()).await?;
            let list = self.listed(&answer)?;
            found.extend(list.contents.into_iter().map(|it| Object { key: it.key, size: it.size.unwrap_or_default() }));
            after = list.next_continuation_token;
            if after.is_none() || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }

    /// Begins an object of several parts.
    pub(crate) async fn begin(&self, key: &str) -> Result<Parts, StoreError> {
        let bucket = self.bucket().await?;
        let sign = || bucket.create_multipart_upload(self.credentials.as_ref(), key).sign(SIGNED).into();
        let answer = self.send(Box::new(sign), Method::POST, Bytes::new()).await?;
        let begun = CreateMultipartUpload::parse_response(&String::from_utf8_lossy(&answer.body));
        let begun = begun.map_err(|error| self.about.error(ErrorKind::Answer, format!("no upload began: {error}")))?;
        Ok(Parts { id: begun.upload_id().to_owned(), tags: Vec::new() })
    }

    /// Sends the next part.
    pub(crate) async fn add(&self, key: &str, parts: &mut Parts, content: Bytes) -> Result<(), StoreError> {
        let bucket = self.bucket().await?;
        let Ok(number) = u16::try_from(parts.tags.len() + 1) else {
            return Err(self.about.error(ErrorKind::Full, "an object has too many parts"));
        };
        let sign = || bucket.upload_part(self.credentials.as_ref(), key, number, &parts.id).sign(SIGNED).into();
        let answer = self.send(Box::new(sign), Method::PUT, content).await?;
        let tag = answer.headers.get("etag").and_then(|tag| tag.to_str().ok());
        let tag = tag.ok_or_else(|| self.about.error(ErrorKind::Answer, "a part was taken without an ETag"))?;
        parts.tags.push(tag.to_owned());
        Ok(())
    }

    /// Makes one object of the parts.
    pub(crate) async fn complete(&self, key: &str, parts: &Parts) -> Result<(), StoreError> {
        let bucket = self.bucket().await?;
        let action = || {
            let tags = parts.tags.iter().map(String::as_str);
            bucket.complete_multipart_upload(self.credentials.as_ref(), key, &parts.id, tags)
        };
        let content = Bytes::from(action().body());
        let answer = self.send(Box::new(|| action().sign(SIGNED).into()), Method::POST, content).await?;
        // It may begin with 200 and end with an error.
        let made = CompleteMultipartUploadResponse::parse(&String::from_utf8_lossy(&answer.body));
        made.map(drop).map_err(|error| self.about.error(ErrorKind::Answer, format!("no object was made: {error}")))
    }

    /// Removes the parts.
    pub(crate) async fn abort(&self, key: &str, parts: &Parts) -> Result<(), StoreError> {
        let bucket = self.bucket().await?;
        let sign = || bucket.abort_multipart_upload(self.credentials.as_ref(), key, &parts.id).sign(SIGNED).into();
        self.send(Box::new(sign), Method::DELETE, Bytes::new()).await.map(drop)
    }

    async fn send(
        &self,
        sign: Sign<'_>,
        method: Method,
        content: impl Into<Content> + Send,
    ) -> Result<Response, StoreError> {
        self.send_and(answer::accepted, sign, method, content.into()).await
    }

    /// What `judge` makes of the answer to a request, which is signed anew each time: a signature holds for a while only.
    async fn send_and(
        &self,
        judge: fn(Response, &About) -> Result<Response, StoreError>,
        sign: Sign<'_>,
        method: Method,
        content: Content,
    ) -> Result<Response, StoreError> {
        let mut pauses = retry::pauses();
        loop {
            let answer = self.transport.send(method.clone(), &sign(), content.clone(), &self.about).await;
            match (answer.and_then(|answer| judge(answer, &self.about)), pauses.next()) {
                (Err(error), Some(pause)) if error.is_transient() => tokio::time::sleep(pause).await,
                (result, _) => return result,
            }
        }
    }

    /// The bucket, in the region that the spec names or else the bucket itself.
    async fn bucket(&self) -> Result<&Bucket, StoreError> {
        self.bucket.get_or_try_init(|| self.find_bucket()).await
    }

    async fn find_bucket(&self) -> Result<Bucket, StoreError> {
        if let Some(region) = &self.location.region {
            return self.bucket_in(region);
        }
        let bucket = self.bucket_in(REGION)?;
        let unsigned = Box::new(|| bucket.base_url().to_string());
        // Whatever is wrong with the bucket, the first signed request tells it.
        let answer = self.send_and(|answer, _| Ok(answer), unsigned, Method::HEAD, Content::default()).await?;
        self.bucket_in(answer::region(&answer).as_deref().unwrap_or(REGION))
    }

    fn bucket_in(&self, region: &str) -> Result<Bucket, StoreError> {
        let S3Location { bucket, endpoint, protocol, path_style, .. } = &self.location;
        let protocol = match protocol {
            Protocol::Https => "https",
            Protocol::Http => "http",
        };
        let host = endpoint.as_ref().map_or_else(|| format!("s3.{region}.amazonaws.com"), ToString::to_string);
        let style = if *path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let unfit = |problem: String| self.about.error(ErrorKind::NotS3, problem);
        let endpoint =
            format!("{protocol}://{host}").parse().map_err(|_| unfit("the endpoint is no host".to_owned()))?;
        Bucket::new(endpoint, style, bucket.clone(), region.to_owned()).map_err(|error| unfit(error.to_string()))
    }
}

//! A bucket that speaks S3.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use secrecy::ExposeSecret as _;
use tokio::sync::OnceCell;
use transship_model::spec::Protocol;
use transship_model::store::{S3Location, StoreAccess, StoreSecret};

use crate::answer;
use crate::error::{About, ErrorKind, StoreError};
use crate::retry::retried;
use crate::store::Object;
use crate::transport::{Response, Transport};

/// How long a signature holds.
const SIGNED: Duration = Duration::from_mins(15);

/// The region where nothing says another.
const REGION: &str = "us-east-1";

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
        self.send(&bucket.put_object(self.credentials.as_ref(), key), Method::PUT, content).await.map(drop)
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        let bucket = self.bucket().await?;
        let answer = self.send(&bucket.get_object(self.credentials.as_ref(), key), Method::GET, Bytes::new()).await?;
        Ok(answer.body)
    }

    /// Removes an object; there may be none.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let bucket = self.bucket().await?;
        let action = bucket.delete_object(self.credentials.as_ref(), key);
        match self.send(&action, Method::DELETE, Bytes::new()).await {
            Err(error) if error.kind != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The objects whose keys begin with `prefix`, at most `most` of them, by key.
    pub(crate) async fn list(&self, prefix: &str, most: usize) -> Result<Vec<Object>, StoreError> {
        let bucket = self.bucket().await?;
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let mut action = bucket.list_objects_v2(self.credentials.as_ref());
            action.with_prefix(prefix);
            action.with_max_keys(most.min(1000));
            if let Some(token) = after {
                action.with_continuation_token(token);
            }
            let answer = self.send(&action, Method::GET, Bytes::new()).await?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let list = ListObjectsV2::parse_response(&text);
            let list = list.map_err(|error| self.about.error(ErrorKind::Answer, format!("not a list: {error}")))?;
            found.extend(list.contents.into_iter().map(|it| Object { key: it.key, size: it.size.unwrap_or_default() }));
            after = list.next_continuation_token;
            if after.is_none() || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
    }

    async fn send<'a>(
        &self,
        action: &impl S3Action<'a>,
        method: Method,
        content: Bytes,
    ) -> Result<Response, StoreError> {
        retried(async || {
            // Signed anew each time: a signature holds for a while only.
            let url = action.sign(SIGNED);
            let answer = self.transport.send(method.clone(), url.as_str(), content.clone(), &self.about).await?;
            answer::accepted(answer, &self.about)
        })
        .await
    }

    /// The bucket, in the region that the spec names or else the bucket itself.
    async fn bucket(&self) -> Result<&Bucket, StoreError> {
        self.bucket.get_or_try_init(|| self.find_bucket()).await
    }

    async fn find_bucket(&self) -> Result<Bucket, StoreError> {
        if let Some(region) = &self.location.region {
            return self.bucket_in(region);
        }
        let url = self.bucket_in(REGION)?.base_url().to_string();
        let answer = retried(async || self.transport.send(Method::HEAD, &url, Bytes::new(), &self.about).await).await?;
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

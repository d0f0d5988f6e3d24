//! Who may come in, and what they may do.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    SelfSubjectAccessReview, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectRulesReviewStatus,
};
use reqwest::Method;

use super::{Client, ClientError};
use crate::resource::object::API_VERSION;
use crate::resource::token::{NewToken, TokenInfo, TokenList, WayIn};

const TOKENS: &str = "apis/chorus.services/v1/tokens";

impl Client {
    /// Whether whoever asks may do something.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(in crate::cli) async fn may(
        &self,
        asked: &SelfSubjectAccessReview,
    ) -> Result<SelfSubjectAccessReview, ClientError> {
        let path = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        self.json(self.request(Method::POST, path).json(asked)).await
    }

    /// All that whoever asks may do in a namespace.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(in crate::cli) async fn rules(
        &self,
        namespace: &str,
    ) -> Result<SubjectRulesReviewStatus, ClientError> {
        let path = "apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let asked = SelfSubjectRulesReview {
            spec: SelfSubjectRulesReviewSpec {
                namespace: Some(namespace.to_owned()),
            },
            ..SelfSubjectRulesReview::default()
        };
        let told: SelfSubjectRulesReview = self.json(self.request(Method::POST, path).json(&asked)).await?;
        Ok(told.status.unwrap_or_default())
    }

    /// Who the operator takes whoever asks for.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(in crate::cli) async fn who_am_i(&self) -> Result<SelfSubjectReview, ClientError> {
        let path = "apis/authentication.k8s.io/v1/selfsubjectreviews";
        self.json(
            self.request(Method::POST, path)
                .json(&SelfSubjectReview::default()),
        )
        .await
    }

    /// Makes a token, which is told in the answer and never again.
    ///
    /// # Errors
    /// See [`ClientError`]; 409 when the name is taken.
    pub(in crate::cli) async fn create_token(&self, wanted: &NewToken) -> Result<TokenInfo, ClientError> {
        self.json(self.request(Method::POST, TOKENS).json(wanted)).await
    }

    /// Lists all tokens, without what they are; with `revoked`, those that were revoked, too.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub(in crate::cli) async fn tokens(&self, revoked: bool) -> Result<Vec<TokenInfo>, ClientError> {
        let request = self.request(Method::GET, TOKENS).query(&[("revoked", revoked)]);
        let list: TokenList = self.json(request).await?;
        Ok(list.items)
    }

    /// Makes a token open nothing any more.
    ///
    /// # Errors
    /// See [`ClientError`]; 404 when there is none of the name.
    pub(in crate::cli) async fn revoke_token(&self, name: &str) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &format!("{TOKENS}/{name}"));
        self.send(request, self.timeout).await?;
        Ok(())
    }

    /// Where the operator serves its API over the network.
    ///
    /// # Errors
    /// See [`ClientError`]; 404 when it does not.
    pub(in crate::cli) async fn way_in(&self) -> Result<WayIn, ClientError> {
        self.json(self.request(Method::GET, &format!("apis/{API_VERSION}/wayin")))
            .await
    }
}

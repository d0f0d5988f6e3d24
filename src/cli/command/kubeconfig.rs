//! `whoosh kubeconfig`: what kubectl and its like need to come in.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::token::GrantArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::target::check_name;
use crate::resource::token::WayIn;
use crate::resource::yaml;

/// Arguments of `kubeconfig`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  # For yourself
  whoosh kubeconfig --role admin > ~/.kube/whoosh
  KUBECONFIG=~/.kube/whoosh kubectl get teams

  # For a colleague who looks on
  whoosh kubeconfig --name ada --role view --for-namespace prod > ada.kubeconfig")]
pub struct KubeconfigArgs {
    /// What the token in it is called [default: kubeconfig- and some letters]
    #[arg(long, value_name = "NAME", value_parser = check_name)]
    name: Option<String>,
    #[command(flatten)]
    grant: GrantArgs,
}

pub(crate) async fn run(ctx: &Context, args: &KubeconfigArgs) -> Result<Outcome, CliError> {
    let way_in = match ctx.client.way_in().await {
        Err(error) if error.is_not_found() => {
            return Err(CliError::Failed(
                "the operator is not served over the network; start it with --listen IP:PORT".to_owned(),
            ));
        }
        way_in => way_in?,
    };
    let name = args.name.clone().unwrap_or_else(|| {
        let random: u32 = rand::random();
        format!("kubeconfig-{random:08x}")
    });
    let made = ctx.client.create_token(&args.grant.token(name)).await?;
    let token = made.token.unwrap_or_default();
    let namespace = match (&ctx.named_namespace, args.grant.namespaces()) {
        (None, [first, ..]) => first,
        _ => ctx.default_namespace(),
    };
    let config = config(&way_in, &made.name, &token, namespace);
    let text = yaml::to_yaml(&config).map_err(|error| CliError::Failed(error.to_string()))?;
    ctx.print(&text)?;
    Ok(Outcome::Done)
}

fn config(way_in: &WayIn, name: &str, token: &str, namespace: &str) -> Value {
    let mut cluster = json!({"server": way_in.server});
    if !way_in.certificate_authority.is_empty() {
        // On the wire that is base64.
        let bytes = ByteString(way_in.certificate_authority.clone().into_bytes());
        cluster["certificate-authority-data"] = json!(bytes);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "whoosh", "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": "whoosh", "context": {"cluster": "whoosh", "user": name, "namespace": namespace}}],
        "current-context": "whoosh",
    })
}

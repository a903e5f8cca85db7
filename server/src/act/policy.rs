//! Publishing a policy: only one signed for this server by a known key, and never older than the version in force.

use data_encoding::BASE64;
use protocol::bundle::BundleError;

use super::By;
use crate::audit::Action;
use crate::error::UserError;
use crate::policy::{OpenError, Policies, Published, SignedPolicy};
use crate::store::Db;
use crate::store::outbox::{EventKind, NewEvent};
use crate::store::policy::PolicyBundle;

/// Publishes `signed`. Publishing the policy in force again changes nothing.
///
/// # Errors
/// The signature, server or version does not match, or the database fails.
pub async fn policy_publish(db: &Db, by: &By, policies: &Policies, signed: SignedPolicy) -> anyhow::Result<Published> {
    let mut tx = db.write().await?;
    let latest = tx.policy_bundle_latest().await?;
    let used = latest.as_ref().map_or(0, |latest| u64::try_from(latest.version).unwrap_or(0));
    let published = policies.open(signed, used).map_err(not_opened)?;
    if latest.as_ref().is_some_and(|latest| latest.address == published.address.to_string()) {
        return Ok(published);
    }
    if latest.is_some() && published.bundle.version == used {
        return Err(told(BundleError::Older { offered: published.bundle.version, used }));
    }
    let Some(own) = &published.server else {
        return Err(UserError::new(
            "Tệp chỉ có phần dành cho các máy, thiếu phần dành cho máy chủ Trạm An. Hãy ký lại các tệp bộ tiêu chí bằng phiên bản \
             phần mềm đang chạy trên máy chủ: posture-server policy sign",
            "The file holds only what machines are sent; what is for the server is missing. Sign the policy files again with this version \
             of the program: posture-server policy sign",
        )
        .into());
    };
    if published.judge.set().files_for_agents()? != published.bundle.files {
        return Err(UserError::new(
            "Phần dành cho máy chủ Trạm An không khớp với phần dành cho các máy. Hãy ký lại bằng phiên bản phần mềm đang chạy trên máy chủ: posture-server policy sign",
            "What is for the server differs from what machines are sent. Sign again with this version of the program: posture-server policy sign",
        )
        .into());
    }
    let kept = PolicyBundle {
        address: published.address.to_string(),
        version: i64::try_from(published.bundle.version)?,
        bytes: published.signed.bundle.clone().into_bytes(),
        signature: BASE64.decode(published.signed.signature.as_bytes())?,
        server_bytes: Some(own.bundle.clone().into_bytes()),
        server_signature: Some(BASE64.decode(own.signature.as_bytes())?),
        key_id: published.bundle.key.clone(),
        published_at: by.at,
        published_by: by.name(),
    };
    tx.policy_bundle_insert(&kept).await?;
    let change =
        by.change(Action::PolicyPublished, None, &kept.address).with("version", kept.version).with("key", &kept.key_id);
    let event = NewEvent { kind: EventKind::Policy, office: None, machine: None, subject: Some(kept.address.clone()) };
    by.conclude(tx, &change, &[event]).await?;
    Ok(published)
}

fn not_opened(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Bundle(error) => told(error),
        OpenError::Server(_) | OpenError::OtherVersion(_) => UserError::new(
            "Phần dành cho máy chủ Trạm An trong tệp không thuộc bộ tiêu chí này: khác khoá ký, khác máy chủ hoặc khác phiên bản. Hãy ký lại: \
             policy sign",
            "The part for the server does not belong to this policy: it has another key, server or version. Sign again: policy sign",
        )
        .because(error)
        .into(),
        OpenError::Policy(errors) => UserError::new(
            "Bộ tiêu chí đã ký có lỗi, không công bố được. Hãy kiểm tra bằng lệnh: posture-server policy check",
            "The signed policy has errors and is not published. Look at them with: posture-server policy check",
        )
        .because(errors)
        .into(),
    }
}

fn told(error: BundleError) -> anyhow::Error {
    let (vi, en) = match &error {
        BundleError::UnknownKey(_) | BundleError::BadSignature => (
            "Bộ tiêu chí không mang chữ ký của khoá mà máy chủ này công nhận. Hãy ký lại bằng khoá trong thư mục policy-signing.",
            "The policy is not signed by a key this server knows. Sign it again with the key in the folder policy-signing.",
        ),
        BundleError::OtherServer(_) => (
            "Bộ tiêu chí được ký cho máy chủ khác. Hãy ký lại với mã của máy chủ này.",
            "The policy was signed for another server. Sign it again for this one.",
        ),
        BundleError::Older { .. } => (
            "Bộ tiêu chí không mới hơn bản đang dùng. Hãy ký lại với số phiên bản lớn hơn.",
            "The policy is not newer than the one in force. Sign it again with a higher version.",
        ),
        BundleError::TooLong(_) | BundleError::Unreadable(_) => (
            "Tệp không phải bộ tiêu chí đã ký. Hãy tạo bằng lệnh: posture-server policy sign",
            "The file is not a signed policy. Make one with: posture-server policy sign",
        ),
    };
    UserError::new(vi, en).because(error).into()
}

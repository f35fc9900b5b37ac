//! Files: uploaded first, then attached to a post.

use serde_json::{Value, json};

use crate::call::{Answer, Call, Outcome};
use crate::errors::ApiError;
use crate::world::World;

/// How many files a post has at most.
const FILES_PER_POST_MAX: usize = 5;

/// An uploaded file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) user_id: String,
    /// Empty until it is attached.
    pub(crate) post_id: String,
    /// Where it was uploaded to; its readers are those of that channel.
    channel_id: String,
    create_at: i64,
    name: String,
    content: Vec<u8>,
}

impl File {
    fn extension(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    fn mime_type(&self) -> &'static str {
        match self.extension() {
            "json" => "application/json",
            "txt" | "md" => "text/plain; charset=utf-8",
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "gif" => "image/gif",
            _ => "application/octet-stream",
        }
    }

    /// Whether it is shown as a picture.
    pub(crate) fn is_image(&self) -> bool {
        self.mime_type().starts_with("image/")
    }

    /// What readers learn about it.
    pub(crate) fn json(&self, id: &str) -> Value {
        let mut info = json!({
            "id": id,
            "user_id": self.user_id,
            // Empty in the recordings too, attached or not.
            "channel_id": "",
            "create_at": self.create_at,
            "update_at": self.create_at,
            "delete_at": 0,
            "name": self.name,
            "extension": self.extension(),
            "size": self.content.len(),
            "mime_type": self.mime_type(),
            "mini_preview": null,
            "remote_id": "",
        });
        if let (false, Some(fields)) = (self.post_id.is_empty(), info.as_object_mut()) {
            fields.insert("post_id".to_owned(), json!(self.post_id));
        }
        info
    }
}

impl World {
    /// The files that a person wants to attach: their own, and not attached yet. Others are left out, as on the real server.
    pub(crate) fn attachable(&self, user_id: &str, file_ids: &[String]) -> Vec<String> {
        let is_free = |id: &&String| {
            self.files.get(*id).is_some_and(|file| file.user_id == user_id && file.post_id.is_empty())
        };
        file_ids.iter().filter(is_free).take(FILES_PER_POST_MAX).cloned().collect()
    }

    fn readable(&self, call: &Call) -> Result<(String, &File), ApiError> {
        let id = call.id(0, "file_id")?;
        let file = self.files.get(&id).ok_or_else(|| {
            ApiError::new(
                404,
                "app.file_info.get.app_error",
                "Unable to get the file: there is none of this id.",
            )
        })?;
        let is_own = file.user_id == call.caller;
        if is_own || (!file.post_id.is_empty() && self.may_see(&call.caller, &file.channel_id)) {
            return Ok((id, file));
        }
        Err(ApiError::forbidden())
    }
}

/// `POST /files?channel_id=…&filename=…`, the file as the body.
pub(crate) fn upload(world: &mut World, call: &Call) -> Outcome {
    let channel_id = call.query("channel_id").ok_or_else(|| ApiError::url("channel_id"))?.to_owned();
    let name = call.query("filename").ok_or_else(|| ApiError::url("filename"))?.to_owned();
    if !world.may_act_in(&call.caller, &channel_id) {
        return Err(ApiError::forbidden());
    }
    let bytes: usize = world.files.values().map(|file| file.content.len()).sum();
    if bytes.saturating_add(call.body.len()) > world.limits.files_bytes_max {
        return Err(ApiError::full("bytes of files", world.limits.files_bytes_max));
    }
    if world.files.len() >= world.limits.files_max {
        return Err(ApiError::full("files", world.limits.files_max));
    }
    let (id, create_at) = (world.ids.next(), world.now_ms());
    let file = File {
        user_id: call.caller.clone(),
        post_id: String::new(),
        channel_id,
        create_at,
        name,
        content: call.body.clone(),
    };
    let answer = json!({"file_infos": [file.json(&id)], "client_ids": []});
    world.files.insert(id, file);
    Ok(Answer::created(answer))
}

/// `GET /files/{id}/info`
pub(crate) fn info(world: &mut World, call: &Call) -> Outcome {
    let (id, file) = world.readable(call)?;
    Ok(Answer::ok(file.json(&id)))
}

/// `GET /files/{id}`: what was uploaded.
pub(crate) fn content(world: &mut World, call: &Call) -> Outcome {
    let (_, file) = world.readable(call)?;
    Ok(Answer::file(file.mime_type(), file.content.clone()))
}

//! What is said to SQLite about documents and watermarks: what belongs to no run.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;
use crate::record::{Document, Watermark};
use crate::sqlite::{Sqlite, integer, natural};
use crate::store::bounded;

impl Sqlite {
    /// See [`crate::Store::document_ids`].
    pub(crate) async fn document_ids(&mut self, kind: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let doing = format!("list the documents of kind {kind}");
        let failed = |error: sqlx::Error| StoreError::database(doing.as_str(), &error);
        let rows = sqlx::query("SELECT id FROM documents WHERE kind = ? ORDER BY id DESC LIMIT ?")
            .bind(kind)
            .bind(i64::from(limit))
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)
    }

    /// See [`crate::Store::document`].
    pub(crate) async fn document(&mut self, kind: &str, id: &str) -> Result<Option<Document>, StoreError> {
        let doing = format!("read the document {kind}/{id}");
        let failed = |error: sqlx::Error| StoreError::database(doing.as_str(), &error);
        let row = sqlx::query("SELECT revision, body FROM documents WHERE kind = ? AND id = ?")
            .bind(kind)
            .bind(id)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(failed)?;
        let document = |row: SqliteRow| {
            let revision = natural("a document's revision", row.try_get(0).map_err(failed)?)?;
            Ok(Document { revision, body: row.try_get(1).map_err(failed)? })
        };
        row.map(document).transpose()
    }

    /// See [`crate::Store::put_document`].
    pub(crate) async fn put_document(
        &mut self,
        kind: &str,
        id: &str,
        expected: u64,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let doing = format!("write the document {kind}/{id}");
        bounded(&format!("the document {kind}/{id} (bytes)"), body.len(), self.record_bytes_max)?;
        let actual = self.document(kind, id).await?.map_or(0, |document| document.revision);
        if actual != expected {
            return Err(StoreError::Conflict { run_id: format!("{kind}/{id}"), expected, actual });
        }
        self.begin_to_write().await?;
        sqlx::query(
            "INSERT INTO documents (kind, id, revision, body) VALUES (?, ?, ?, ?)
             ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision, body = excluded.body",
        )
        .bind(kind)
        .bind(id)
        .bind(integer("a document's revision", expected.saturating_add(1))?)
        .bind(body)
        .execute(&mut self.connection)
        .await
        .map(|_| ())
        .map_err(|error| StoreError::database(doing, &error))
    }

    /// See [`crate::Store::delete_document`].
    pub(crate) async fn delete_document(&mut self, kind: &str, id: &str) -> Result<(), StoreError> {
        self.begin_to_write().await?;
        sqlx::query("DELETE FROM documents WHERE kind = ? AND id = ?")
            .bind(kind)
            .bind(id)
            .execute(&mut self.connection)
            .await
            .map(|_| ())
            .map_err(|error| StoreError::database(format!("delete the document {kind}/{id}"), &error))
    }

    /// See [`crate::Store::watermarks`].
    pub(crate) async fn watermarks(&mut self) -> Result<Vec<Watermark>, StoreError> {
        let failed = |error: sqlx::Error| StoreError::database("read the watermarks", &error);
        let rows = sqlx::query(
            "SELECT channel_id, at_ms, coalesce(since_ms, at_ms + 1), coalesce(near, '')
             FROM watermarks LEFT JOIN margins USING (channel_id)",
        )
        .fetch_all(&mut self.connection)
        .await
        .map_err(failed)?;
        let watermark = |row: &SqliteRow| {
            let at_ms = natural("a watermark", row.try_get(1).map_err(failed)?)?;
            let since_ms = natural("a watermark", row.try_get(2).map_err(failed)?)?;
            let (channel_id, near) = (row.try_get(0).map_err(failed)?, row.try_get(3).map_err(failed)?);
            Ok(Watermark { channel_id, at_ms, since_ms, near })
        };
        rows.iter().map(watermark).collect()
    }

    /// See [`crate::Store::raise_watermarks`].
    pub(crate) async fn raise_watermarks(&mut self, watermarks: &[Watermark]) -> Result<(), StoreError> {
        self.begin_to_write().await?;
        let failed = |error: sqlx::Error| StoreError::database("write the watermarks", &error);
        for Watermark { channel_id, at_ms, since_ms, near } in watermarks {
            sqlx::query(
                "INSERT INTO watermarks (channel_id, at_ms) VALUES (?, ?)
                 ON CONFLICT (channel_id) DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)",
            )
            .bind(channel_id)
            .bind(integer("a watermark", *at_ms)?)
            .execute(&mut self.connection)
            .await
            .map_err(failed)?;
            sqlx::query(
                "INSERT INTO margins (channel_id, since_ms, near)
                 SELECT channel_id, ?, ? FROM watermarks WHERE channel_id = ? AND at_ms = ?
                 ON CONFLICT (channel_id) DO UPDATE SET since_ms = excluded.since_ms, near = excluded.near",
            )
            .bind(integer("a watermark", *since_ms)?)
            .bind(near)
            .bind(channel_id)
            .bind(integer("a watermark", *at_ms)?)
            .execute(&mut self.connection)
            .await
            .map_err(failed)?;
        }
        Ok(())
    }
}

//! What is said to SQLite about documents and watermarks: what belongs to no run.

use rusqlite::Row;

use crate::error::StoreError;
use crate::record::{Document, Watermark};
use crate::sqlite::{Sqlite, integer, natural};
use crate::store::bounded;

impl Sqlite {
    /// See [`crate::Store::document_ids`].
    pub(crate) fn document_ids(&self, kind: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let query = "SELECT id FROM documents WHERE kind = ?1 ORDER BY id DESC LIMIT ?2";
        self.rows(query, (kind, limit), |row| row.get(0))
            .map_err(|error| StoreError::database(format!("list the documents of kind {kind}"), &error))
    }

    /// See [`crate::Store::document`].
    pub(crate) fn document(&self, kind: &str, id: &str) -> Result<Option<Document>, StoreError> {
        let query = "SELECT revision, body FROM documents WHERE kind = ?1 AND id = ?2";
        let found = self
            .row(query, (kind, id), |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(|error| StoreError::database(format!("read the document {kind}/{id}"), &error))?;
        let Some((revision, body)) = found else { return Ok(None) };
        Ok(Some(Document { revision: natural("a document's revision", revision)?, body }))
    }

    /// See [`crate::Store::put_document`].
    pub(crate) fn put_document(
        &mut self,
        kind: &str,
        id: &str,
        expected: u64,
        body: &[u8],
    ) -> Result<(), StoreError> {
        bounded(&format!("the document {kind}/{id} (bytes)"), body.len(), self.record_bytes_max)?;
        let actual = self.revision(kind, id)?;
        if actual != expected {
            return Err(StoreError::Conflict { run_id: format!("{kind}/{id}"), expected, actual });
        }
        let revision = integer("a document's revision", expected.saturating_add(1))?;
        self.execute(
            "INSERT INTO documents (kind, id, revision, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision, body = excluded.body",
            (kind, id, revision, body),
        )
        .map_err(|error| StoreError::database(format!("write the document {kind}/{id}"), &error))
    }

    /// How often the document was written.
    fn revision(&self, kind: &str, id: &str) -> Result<u64, StoreError> {
        let query = "SELECT revision FROM documents WHERE kind = ?1 AND id = ?2";
        let revision = self
            .row(query, (kind, id), |row| row.get(0))
            .map_err(|error| StoreError::database(format!("read the document {kind}/{id}"), &error))?;
        natural("a document's revision", revision.unwrap_or_default())
    }

    /// See [`crate::Store::delete_document`].
    pub(crate) fn delete_document(&mut self, kind: &str, id: &str) -> Result<(), StoreError> {
        self.execute("DELETE FROM documents WHERE kind = ?1 AND id = ?2", (kind, id))
            .map_err(|error| StoreError::database(format!("delete the document {kind}/{id}"), &error))
    }

    /// See [`crate::Store::watermarks`].
    pub(crate) fn watermarks(&self) -> Result<Vec<Watermark>, StoreError> {
        let columns = |row: &Row<'_>| <(String, i64, i64, String)>::try_from(row);
        let rows = self
            .rows(
                "SELECT channel_id, at_ms, coalesce(since_ms, at_ms + 1), coalesce(near, '')
                 FROM watermarks LEFT JOIN margins USING (channel_id)",
                (),
                columns,
            )
            .map_err(|error| StoreError::database("read the watermarks", &error))?;
        let watermark = |(channel_id, at_ms, since_ms, near)| {
            let (at_ms, since_ms) = (natural("a watermark", at_ms)?, natural("a watermark", since_ms)?);
            Ok(Watermark { channel_id, at_ms, since_ms, near })
        };
        rows.into_iter().map(watermark).collect()
    }

    /// See [`crate::Store::raise_watermarks`].
    pub(crate) fn raise_watermarks(&mut self, watermarks: &[Watermark]) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| StoreError::database("write the watermarks", &error);
        for Watermark { channel_id, at_ms, since_ms, near } in watermarks {
            let at_ms = integer("a watermark", *at_ms)?;
            let since_ms = integer("a watermark", *since_ms)?;
            self.execute(
                "INSERT INTO watermarks (channel_id, at_ms) VALUES (?1, ?2)
                 ON CONFLICT (channel_id) DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)",
                (channel_id, at_ms),
            )
            .map_err(failed)?;
            self.execute(
                "INSERT INTO margins (channel_id, since_ms, near)
                 SELECT channel_id, ?3, ?4 FROM watermarks WHERE channel_id = ?1 AND at_ms = ?2
                 ON CONFLICT (channel_id) DO UPDATE SET since_ms = excluded.since_ms, near = excluded.near",
                (channel_id, at_ms, since_ms, near),
            )
            .map_err(failed)?;
        }
        Ok(())
    }
}

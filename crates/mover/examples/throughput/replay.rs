//! A source that costs next to nothing: it sends rows that were recorded once, whatever is asked for.

use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Outcome;
use crate::child;
use crate::shape::Shape;

/// The answer to the one SELECT.
struct Recorded {
    /// A `RowDescription`.
    description: BytesMut,
    /// A `DataRow` for each row.
    rows: BytesMut,
    count: u64,
}

/// Records, and answers from now on. Gives the address.
pub(crate) async fn open(source: &str, shape: Shape) -> Outcome<String> {
    let recorded = Arc::new(record(source, shape).await?);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let recorded = Arc::clone(&recorded);
            // A connection that ends before its time is noticed by who opened it.
            tokio::spawn(async move { serve(stream, &recorded).await.ok() });
        }
    });
    Ok(address)
}

async fn record(source: &str, shape: Shape) -> Outcome<Recorded> {
    let (columns, mut wire) = child::select(source, shape).await?;
    let mut rows = BytesMut::new();
    let width = u16::try_from(columns.len())?;
    let count = child::drain(&mut wire, |cells| {
        message(b'D', &mut rows, |out| {
            out.put_u16(width);
            out.put_slice(cells);
        });
    })
    .await?;
    Ok(Recorded { description: describe(&columns, width), rows, count })
}

fn describe(columns: &[(String, u32)], width: u16) -> BytesMut {
    let mut description = BytesMut::new();
    message(b'T', &mut description, |out| {
        out.put_u16(width);
        for (name, oid) in columns {
            out.put_slice(name.as_bytes());
            out.put_u8(0);
            // Table, column, type, its size and modifier, and the binary form.
            out.put_i32(0);
            out.put_i16(0);
            out.put_u32(*oid);
            out.put_i16(-1);
            out.put_i32(-1);
            out.put_i16(1);
        }
    });
    description
}

/// Puts a message of the server, with its length.
fn message(tag: u8, out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let start = out.len();
    out.put_i32(0);
    body(out);
    let length = u32::try_from(out.len() - start).expect("a message is smaller than 4 GB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

async fn serve(mut stream: TcpStream, recorded: &Recorded) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let startup = stream.read_u32().await?;
    let mut incoming = vec![0; startup.saturating_sub(4) as usize];
    stream.read_exact(&mut incoming).await?;
    let mut out = BytesMut::new();
    message(b'R', &mut out, |out| out.put_i32(0));
    message(b'K', &mut out, |out| out.put_u64(0));
    ready(&mut out);
    loop {
        stream.write_all_buf(&mut out).await?;
        let (tag, length) = (stream.read_u8().await?, stream.read_u32().await?);
        incoming.resize(length.saturating_sub(4) as usize, 0);
        stream.read_exact(&mut incoming).await?;
        match tag {
            b'P' => message(b'1', &mut out, |_| ()),
            b'D' => {
                message(b't', &mut out, |out| out.put_u16(0));
                out.put_slice(&recorded.description);
            }
            b'B' => message(b'2', &mut out, |_| ()),
            b'E' => execute(&mut stream, &mut out, recorded).await?,
            b'S' => ready(&mut out),
            b'X' => return Ok(()),
            _ => {}
        }
    }
}

async fn execute(stream: &mut TcpStream, out: &mut BytesMut, recorded: &Recorded) -> std::io::Result<()> {
    stream.write_all_buf(&mut out.chain(&recorded.rows[..])).await?;
    out.clear();
    message(b'C', out, |out| {
        out.put_slice(format!("SELECT {}", recorded.count).as_bytes());
        out.put_u8(0);
    });
    Ok(())
}

fn ready(out: &mut BytesMut) {
    message(b'Z', out, |out| out.put_u8(b'I'));
}

//! WebSocket frames: masked ones in, plain ones out.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest message that is taken, in bytes.
const LIMIT: usize = 1 << 20;

/// A whole message from the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// The kinds of frames the server sends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text = 0x1,
    Close = 0x8,
    Pong = 0xA,
}

/// Reads frames until a message is whole. The error means that the connection is of no more use.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Message> {
    let mut message = Vec::new();
    let mut first = None;
    loop {
        let (last, opcode, payload) = frame(stream).await?;
        match opcode {
            0x8 => return Ok(Message::Close),
            0x9 => return Ok(Message::Ping(payload)),
            0xA => return Ok(Message::Pong),
            0x1 | 0x2 if first.is_none() => first = Some(opcode),
            0x0 if first.is_some() => {}
            _ => return Err(invalid("unexpected opcode")),
        }
        message.extend(payload);
        if message.len() > LIMIT {
            return Err(invalid("message too long"));
        }
        if last {
            break;
        }
    }
    if first == Some(0x2) {
        return Ok(Message::Binary(message));
    }
    String::from_utf8(message).map(Message::Text).map_err(|_| invalid("text is not UTF-8"))
}

async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(bool, u8, Vec<u8>)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    if head[1] & 0x80 == 0 {
        return Err(invalid("a client must mask its frames"));
    }
    let length = match head[1] & 0x7f {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        short => u64::from(short),
    };
    let length = usize::try_from(length).ok().filter(|length| *length <= LIMIT).ok_or_else(|| invalid("frame too long"))?;
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok((head[0] & 0x80 != 0, head[0] & 0x0f, payload))
}

/// Sends one frame.
pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), kind: Kind, payload: &[u8]) -> std::io::Result<()> {
    let mut frame = vec![0x80 | kind as u8];
    match payload.len() {
        length @ 0..126 => frame.push(length as u8),
        length @ 126..65_536 => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    stream.write_all(&frame).await?;
    stream.flush().await
}

fn invalid(message: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, message)
}

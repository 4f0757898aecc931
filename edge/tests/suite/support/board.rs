//! A display board: keeps the texts that it was sent.

use std::{
    io::Read,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
};

use super::eventually;

pub struct Board {
    pub address: SocketAddr,
    texts: Arc<Mutex<Vec<String>>>,
}

impl Board {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, texts) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let shown = Arc::clone(&texts);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut bytes, mut piece) = (stream.unwrap(), Vec::new(), [0; 512]);
                while let Ok(count) = stream.read(&mut piece) {
                    if count == 0 {
                        break;
                    }
                    bytes.extend(&piece[..count]);
                    while let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
                        let text: Vec<u8> = bytes.drain(..end + 2).collect();
                        shown
                            .lock()
                            .unwrap()
                            .push(String::from_utf8(text[..end].to_vec()).unwrap());
                    }
                }
            }
        });
        Self { address, texts }
    }

    /// What it shows now.
    pub fn text(&self) -> String {
        self.texts.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// Everything that it has shown since it was last asked.
    pub fn take_texts(&self) -> Vec<String> {
        std::mem::take(&mut self.texts.lock().unwrap())
    }

    #[track_caller]
    pub fn until_shows(&self, text: &str) {
        eventually(text, || (self.text() == text).then_some(()));
    }
}

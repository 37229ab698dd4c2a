//! `cargo xtask console-pictures`: the pictures that tests of the console take, made small enough to keep.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use color_quant::NeuQuant;

use crate::error::Error;
use crate::shell::{cargo, run, say};
use crate::test::tools;
use crate::workspace::{self, Workspace};

/// Has the tests of the console take pictures.
const PICTURES: &str = "TOLLKEEPER_TEST_PICTURES";

/// As many colours as a palette of a byte for each point holds.
const COLOURS: usize = 256;

/// Every how manieth point is looked at to choose the colours.
const SAMPLE: i32 = 10;

/// Has the tests take pictures, and keeps them in place of those that there were.
pub(crate) fn take() -> Result<(), Error> {
    let workspace = Workspace::load()?;
    tools::ensure(&workspace)?;
    run(&mut cargo(&["build", "--workspace", "--bins"]))?;
    let taken = workspace.target.join("console-pictures");
    if taken.exists() {
        fs::remove_dir_all(&taken).map_err(Error::file(&taken))?;
    }
    let test = [
        "test",
        "--workspace",
        "--test",
        "console",
        "--",
        "every_page_of_an_operator_is_usable",
    ];
    run(cargo(&test).env(PICTURES, "1"))?;
    let kept = workspace::root().join("docs/console");
    if kept.exists() {
        fs::remove_dir_all(&kept).map_err(Error::file(&kept))?;
    }
    fs::create_dir_all(&kept).map_err(Error::file(&kept))?;
    let mut bytes = 0;
    let pictures = fs::read_dir(&taken).map_err(Error::file(&taken))?;
    for picture in pictures.flatten() {
        let to = kept.join(picture.file_name());
        bytes += shrink(&picture.path(), &to)?;
    }
    say(&format!("docs/console: {} KiB", bytes / 1024));
    Ok(())
}

/// Writes the picture with a palette. Gives its bytes.
fn shrink(from: &Path, to: &Path) -> Result<usize, Error> {
    let file = File::open(from).map_err(Error::file(from))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::ALPHA | png::Transformations::STRIP_16);
    let mut reader = decoder
        .read_info()
        .map_err(|reason| failed(from, &reason))?;
    let size = reader.output_buffer_size().unwrap_or_default();
    let mut points = vec![0; size];
    let frame = reader.next_frame(&mut points);
    let frame = frame.map_err(|reason| failed(from, &reason))?;
    points.truncate(frame.buffer_size());

    let colours = NeuQuant::new(SAMPLE, COLOURS, &points);
    let mut known: HashMap<&[u8], u8> = HashMap::new();
    let nearest = points.chunks_exact(4).map(|point| {
        let found = known.entry(point);
        *found.or_insert_with(|| u8::try_from(colours.index_of(point)).unwrap_or(0))
    });
    let nearest: Vec<u8> = nearest.collect();
    let mut written = Vec::new();
    let mut encoder = png::Encoder::new(&mut written, frame.width, frame.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(colours.color_map_rgb());
    encoder.set_compression(png::Compression::High);
    let encoded = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&nearest));
    encoded.map_err(|reason| failed(to, &reason))?;
    fs::write(to, &written).map_err(Error::file(to))?;
    Ok(written.len())
}

fn failed(path: &Path, reason: &impl ToString) -> Error {
    Error::Picture {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

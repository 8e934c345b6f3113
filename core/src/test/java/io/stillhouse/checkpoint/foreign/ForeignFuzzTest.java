package io.stillhouse.checkpoint.foreign;

import io.stillhouse.Fuzz;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.TinyModel;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Gives damaged files to the readers of other formats. */
class ForeignFuzzTest {
  private static final EncoderSpec ENCODER = TinyModel.spec(4, 2, Head.NONE);

  @TempDir Path directory;

  @Test
  void onnx() throws IOException {
    Path file = directory.resolve("tiny.onnx");
    Map<String, LazyTensor> weights = TinyModel.weights(ENCODER);
    List<byte[]> seeds = new ArrayList<>();
    for (OnnxWriter.Values values : List.of(OnnxWriter.Values.LISTS, OnnxWriter.Values.EXTERNAL)) {
      OnnxWriter.write(file, ENCODER, weights, values, "data");
      seeds.add(Files.readAllBytes(file));
    }
    OnnxWriter.write(file, ENCODER, weights, "Erf");
    seeds.add(Files.readAllBytes(file));

    Fuzz.bytes("ONNX", seeds).run(Fuzz.file(file, input -> readAll(OnnxModel.read(file))));
  }

  @Test
  void tensorFlowIndex() throws IOException {
    Path file = directory.resolve("model.index");
    BundleWriter.write(directory.resolve("model"), variables());
    heads();

    Fuzz.bytes("TensorFlow index", List.of(Files.readAllBytes(file)))
        .run(Fuzz.file(file, input -> readAll(TensorFlowModel.read(file))));
  }

  @Test
  void tensorFlowEntries() throws IOException {
    // The table's checksums reject nearly every change, so entries are changed before it is made.
    Map<String, byte[]> entries = new TreeMap<>();
    BundleWriter.write(directory.resolve("model"), variables(), entries);
    heads();
    List<String> names = List.copyOf(entries.keySet());

    for (int part = 0; part < 2; part++) {
      String name = names.get(part == 0 ? 0 : names.size() / 2);
      Fuzz.bytes("TensorFlow entry '" + name + "'", List.of(entries.get(name)))
          .run(
              input -> {
                Map<String, byte[]> changed = new TreeMap<>(entries);
                changed.put(name, input);
                Path index = BundleWriter.writeIndex(directory.resolve("model"), changed);
                readAll(TensorFlowModel.read(index));
              });
    }
  }

  @Test
  void archives() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      for (String name : List.of("a/config.json", "b.txt", "c.class")) {
        zip.putNextEntry(new ZipEntry(name));
        zip.write(new byte[500]);
      }
    }
    Path file = directory.resolve("x.zip");
    Archive.Limits limits = new Archive.Limits(1 << 20, 10, 2, 100, 1 << 16);
    int[] number = new int[1];

    Fuzz.bytes("zip", List.of(bytes.toByteArray()))
        .run(
            Fuzz.file(
                file,
                input -> {
                  Path out = Files.createDirectory(directory.resolve("out" + number[0]++));
                  Archive.unpack(file, out, limits);
                }));
  }

  /** Returns weights under names that TensorFlow's could have. */
  private static Map<String, LazyTensor> variables() {
    Map<String, LazyTensor> variables = new TreeMap<>();
    TinyModel.weights(ENCODER)
        .forEach((name, tensor) -> variables.put(name.replace('.', '/'), tensor));
    return variables;
  }

  private void heads() throws IOException {
    Files.writeString(directory.resolve("bert_config.json"), "{\"num_attention_heads\": 2}");
  }

  private static void readAll(Importable found) throws IOException {
    for (LazyTensor tensor : found.tensors().values()) {
      tensor.bytes().read();
    }
    found.spec(0);
  }
}

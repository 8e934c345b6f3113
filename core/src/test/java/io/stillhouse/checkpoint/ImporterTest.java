package io.stillhouse.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import io.stillhouse.error.StillhouseException;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.text.Casing;
import io.stillhouse.text.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.iq80.leveldb.CompressionType;
import org.iq80.leveldb.Options;
import org.iq80.leveldb.table.BytewiseComparator;
import org.iq80.leveldb.table.TableBuilder;
import org.iq80.leveldb.util.Slices;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImporterTest {
  private static final List<String> VOCAB =
      List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c", ".");
  private static final int HIDDEN = 128;
  private static final int INNER = 160;
  private static final String SUPPORTED =
      "import a Hugging Face directory, a TensorFlow checkpoint of BERT, or an ONNX export with its tokenizer.json";

  @TempDir Path directory;
  private Path destination;

  @BeforeEach
  void nameDestination() {
    destination = directory.resolve("imported").resolve("teacher");
  }

  @Test
  void importsGooglesBertFromASavedModelDirectory() throws IOException {
    ModelSpec spec = Importer.importTeacher(savedModel(googleShapes()), destination).model().spec();

    assertThat(spec)
        .isEqualTo(
            new ModelSpec(
                new ModelSpec.Embeddings(9, 7, 2, 0),
                new ModelSpec.Blocks(2, HIDDEN, 2, INNER),
                new ModelSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
                Head.MASKED_LM));
    assertThat(HuggingFaceDirectory.open(destination).spec()).isEqualTo(spec);
    assertThat(list(destination))
        .containsExactly(
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt");
    assertThat(destination.resolve("tokenizer_config.json"))
        .content()
        .isEqualTo(
            """
            {
              "tokenizer_class": "BertTokenizer",
              "do_lower_case": true,
              "pad_token": "[PAD]",
              "unk_token": "[UNK]",
              "cls_token": "[CLS]",
              "sep_token": "[SEP]",
              "mask_token": "[MASK]"
            }
            """);
  }

  @Test
  void transposesKernelsAndCopiesTheRest() throws IOException {
    Importer.importTeacher(savedModel(googleShapes()), destination);

    // The number at [row, column] of a stored variable is its place among all plus its index.
    assertThat(read("bert.encoder.layer.1.intermediate.dense.weight", 3, 5))
        .isEqualTo(number("module/bert/encoder/layer_1/intermediate/dense/kernel", 5 * INNER + 3));
    assertThat(read("bert.embeddings.word_embeddings.weight", 3, 5))
        .isEqualTo(number("module/bert/embeddings/word_embeddings", 3 * HIDDEN + 5));
    assertThat(read("bert.encoder.layer.0.attention.output.LayerNorm.weight", 4))
        .isEqualTo(number("module/bert/encoder/layer_0/attention/output/LayerNorm/gamma", 4));
    assertThat(read("bert.encoder.layer.0.attention.output.LayerNorm.bias", 4))
        .isEqualTo(number("module/bert/encoder/layer_0/attention/output/LayerNorm/beta", 4));
    assertThat(read("cls.predictions.bias", 8))
        .isEqualTo(number("module/cls/predictions/output_bias", 8));
  }

  @Test
  void keepsThePoolerBesideTheParameters() throws IOException {
    Importer.importTeacher(savedModel(googleShapes()), destination);

    assertThat(read("bert.pooler.dense.weight", 2, 1))
        .isEqualTo(number("module/bert/pooler/dense/kernel", HIDDEN + 2));
    assertThat(HuggingFaceDirectory.open(destination).has("bert.pooler.dense.bias")).isTrue();
  }

  @Test
  void importsASavedModelZippedInsideAJar() throws IOException {
    Path model = savedModel(googleShapes());
    Files.writeString(model.resolve("assets/model.json"), "{\"doLowerCase\": false}");
    ByteArrayOutputStream nested = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(nested)) {
      for (String name :
          List.of(
              "assets/model.json",
              "assets/vocab.txt",
              "variables/variables.data-00000-of-00001",
              "variables/variables.index")) {
        put(zip, name, Files.readAllBytes(model.resolve(name)));
      }
    }
    Path jar = directory.resolve("bert.jar");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
      put(zip, "META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n".getBytes(StandardCharsets.UTF_8));
      put(zip, "com/example/bert", nested.toByteArray());
    }

    ModelSpec spec = Importer.importTeacher(jar, destination).model().spec();

    assertThat(spec.head()).isEqualTo(Head.MASKED_LM);
    assertThat(destination.resolve("tokenizer_config.json"))
        .content()
        .contains("\"do_lower_case\": false");
    assertThat(list(destination.resolveSibling("."))).containsExactly("teacher");
  }

  @Test
  void importsAnEncoderFromOnnxInAJar() throws IOException {
    Path jar = directory.resolve("embeddings.jar");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
      put(zip, "small.onnx", onnx(4, "Erf"));
      put(
          zip,
          "small-tokenizer.json",
          Tokenizer.tokenizerJson(jar, VOCAB, Casing.CASED).getBytes(StandardCharsets.UTF_8));
    }

    ModelSpec spec = Importer.importTeacher(jar, destination).model().spec();

    assertThat(spec)
        .isEqualTo(
            new ModelSpec(
                new ModelSpec.Embeddings(9, 7, 2, 0),
                new ModelSpec.Blocks(2, HIDDEN, 4, INNER),
                new ModelSpec.Numerics(1e-12, 0.1, 0.1, 0.1),
                Head.NONE));
    assertThat(HuggingFaceDirectory.open(destination).spec()).isEqualTo(spec);
    assertThat(read("bert.encoder.layer.1.intermediate.dense.weight", 3, 5))
        .isEqualTo(number("module/bert/encoder/layer_1/intermediate/dense/kernel", 5 * INNER + 3));
    assertThat(read("bert.embeddings.position_embeddings.weight", 3, 5))
        .isEqualTo(number("module/bert/embeddings/position_embeddings", 3 * HIDDEN + 5));
    assertThat(destination.resolve("tokenizer_config.json"))
        .content()
        .contains("\"do_lower_case\": false");
  }

  @Test
  void importsAnOnnxFileWithItsTokenizerBesideIt() throws IOException {
    Path file = bareOnnx(onnx(2, "Erf"));

    assertThat(Importer.importTeacher(file, destination).model().spec().heads()).isEqualTo(2);
  }

  @Test
  void refusesAnOnnxWithAnotherActivation() throws IOException {
    Path file = bareOnnx(onnx(2, "Relu"));

    assertRefused(
        file,
        "'%s' computes another activation than the exact (erf) gelu; use a BERT encoder with hidden_act gelu"
            .formatted(file));
  }

  @Test
  void refusesAnOnnxWhoseHeadsAreNotInItsGraph() throws IOException {
    Path file = bareOnnx(onnx(0, "Erf"));

    assertRefused(
        file,
        "'%s' does not show how many attention heads its bert.encoder.layer.0.attention have; import the model's Hugging Face directory instead"
            .formatted(file));
  }

  @Test
  void namesTheArchiveNotTheDirectoryItWasUnpackedTo() throws IOException {
    Path jar = directory.resolve("embeddings.jar");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
      put(zip, "small.onnx", onnx(4, "Relu"));
      put(
          zip,
          "small-tokenizer.json",
          Tokenizer.tokenizerJson(jar, VOCAB, Casing.CASED).getBytes(StandardCharsets.UTF_8));
    }

    assertRefused(
        jar,
        "'%s/small.onnx' computes another activation than the exact (erf) gelu; use a BERT encoder with hidden_act gelu"
            .formatted(jar));
  }

  @Test
  void refusesAnOnnxThatIsCutShort() throws IOException {
    byte[] whole = onnx(2, "Erf");
    Path file = bareOnnx(java.util.Arrays.copyOf(whole, whole.length / 2));

    assertThatThrownBy(() -> Importer.importTeacher(file, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("'%s' is not a whole ONNX file (".formatted(file))
        .hasMessageEndingWith("; copy or download it again");
    assertNothingLeft();
  }

  @Test
  void namesEveryVariableThatIsMissingOrStrange() throws IOException {
    Map<String, long[]> shapes = googleShapes();
    shapes.remove("module/bert/encoder/layer_1/attention/self/key/bias");
    shapes.put("module/bert/encoder/layer_0/output/dense/bias", new long[] {3});
    shapes.put("module/bert/adapter/kernel", new long[] {2, 2});
    Path source = savedModel(shapes);

    assertRefused(
        source,
        "the weights of '%s' do not fit its configuration: tensor 'bert.encoder.layer.0.output.dense.bias' should have shape [128] but has [3] in variables.index; tensor 'bert.encoder.layer.1.attention.self.key.bias' [128] is missing; tensor 'bert.adapter.weight' in variables.index belongs to no masked-LM model of 2 layers; restore the files that belong together"
            .formatted(source.resolve("variables/variables.index")));
  }

  @Test
  void noticesADamagedShard() throws IOException {
    Path source = savedModel(googleShapes());
    Path shard = source.resolve("variables/variables.data-00000-of-00001");
    byte[] bytes = Files.readAllBytes(shard);
    bytes[0] ^= 1;
    Files.write(shard, bytes);

    assertRefused(
        source,
        "'%s' is not a whole TensorFlow checkpoint: variable 'module/bert/embeddings/LayerNorm/beta' does not fit its checksum; copy or download it again"
            .formatted(shard));
  }

  @Test
  void refusesAVocabularyOfAnotherModel() throws IOException {
    Path source = savedModel(googleShapes());
    Files.write(source.resolve("assets/vocab.txt"), VOCAB.subList(0, 7));

    assertRefused(
        source,
        "'%s' has 7 tokens but the word embeddings 9 rows (config.json vocab_size); use the vocabulary that the model was trained with"
            .formatted(destination.resolve("vocab.txt")));
  }

  @Test
  void refusesAnIndexThatIsNoTable() throws IOException {
    Path source = savedModel(googleShapes());
    Path index = source.resolve("variables/variables.index");
    Files.write(index, new byte[100]);

    assertThatThrownBy(() -> Importer.importTeacher(source, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessageStartingWith("'%s' is not a whole TensorFlow checkpoint: ".formatted(index));
    assertNothingLeft();
  }

  @Test
  void refusesADestinationThatExists() throws IOException {
    Files.createDirectories(destination);

    assertThatThrownBy(() -> Importer.importTeacher(directory, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(
            "'%s' exists already; remove it, or name another destination".formatted(destination));
  }

  @Test
  void saysWhatItReadsWhenGivenSomethingElse() throws IOException {
    Path text = Files.writeString(directory.resolve("notes.txt"), "no model");
    Path zip = directory.resolve("notes.zip");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
      put(out, "notes.txt", new byte[] {'P', 'K'});
    }
    Path empty = Files.createDirectory(directory.resolve("empty"));

    assertRefused(
        text,
        "'%s' is neither a directory, a .onnx file, a jar nor a zip; %s"
            .formatted(text, SUPPORTED));
    for (Path source : List.of(zip, empty)) {
      assertRefused(
          source,
          "'%s' holds no config.json, no TensorFlow variables (.index) and no .onnx file; %s"
              .formatted(source, SUPPORTED));
    }
  }

  private void assertRefused(Path source, String message) throws IOException {
    assertThatThrownBy(() -> Importer.importTeacher(source, destination))
        .isInstanceOf(StillhouseException.class)
        .hasMessage(message);
    assertNothingLeft();
  }

  private void assertNothingLeft() throws IOException {
    assertThat(list(destination.resolveSibling("."))).isEmpty();
  }

  private float read(String name, long... index) throws IOException {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray array =
          HuggingFaceDirectory.open(destination).weights(manager, List.of(name)).get(name);
      return array.getFloat(index);
    }
  }

  /** Returns the shapes of a BERT of two layers as Google stores it. */
  private static Map<String, long[]> googleShapes() {
    Map<String, long[]> shapes = new TreeMap<>();
    shapes.put("module/bert/embeddings/word_embeddings", new long[] {VOCAB.size(), HIDDEN});
    shapes.put("module/bert/embeddings/position_embeddings", new long[] {7, HIDDEN});
    shapes.put("module/bert/embeddings/token_type_embeddings", new long[] {2, HIDDEN});
    norm(shapes, "module/bert/embeddings/LayerNorm");
    for (int layer = 0; layer < 2; layer++) {
      String prefix = "module/bert/encoder/layer_" + layer + "/";
      for (String name : List.of("self/query", "self/key", "self/value", "output/dense")) {
        dense(shapes, prefix + "attention/" + name, HIDDEN, HIDDEN);
      }
      norm(shapes, prefix + "attention/output/LayerNorm");
      dense(shapes, prefix + "intermediate/dense", HIDDEN, INNER);
      dense(shapes, prefix + "output/dense", INNER, HIDDEN);
      norm(shapes, prefix + "output/LayerNorm");
    }
    dense(shapes, "module/bert/pooler/dense", HIDDEN, HIDDEN);
    dense(shapes, "module/cls/predictions/transform/dense", HIDDEN, HIDDEN);
    norm(shapes, "module/cls/predictions/transform/LayerNorm");
    shapes.put("module/cls/predictions/output_bias", new long[] {VOCAB.size()});
    return shapes;
  }

  private static void dense(Map<String, long[]> shapes, String name, int in, int out) {
    shapes.put(name + "/kernel", new long[] {in, out});
    shapes.put(name + "/bias", new long[] {out});
  }

  private static void norm(Map<String, long[]> shapes, String name) {
    shapes.put(name + "/gamma", new long[] {HIDDEN});
    shapes.put(name + "/beta", new long[] {HIDDEN});
  }

  private static float number(String variable, int index) {
    return Math.floorMod(variable.hashCode(), 1000) + index / 65536f;
  }

  private static byte[] numbers(String variable, long[] shape) {
    int size = (int) LongStream.of(shape).reduce(1, (a, b) -> a * b);
    ByteBuffer bytes = ByteBuffer.allocate(4 * size).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < size; i++) {
      bytes.putFloat(number(variable, i));
    }
    return bytes.array();
  }

  /** Writes a SavedModel as TensorFlow does, but for its graph. */
  private Path savedModel(Map<String, long[]> shapes) throws IOException {
    Path model = directory.resolve("saved-model");
    Files.createDirectories(model.resolve("variables"));
    Files.createDirectories(model.resolve("assets"));
    Files.write(model.resolve("assets/vocab.txt"), VOCAB);
    ByteArrayOutputStream shard = new ByteArrayOutputStream();
    try (FileChannel channel =
        FileChannel.open(
            model.resolve("variables/variables.index"),
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.WRITE)) {
      TableBuilder table =
          new TableBuilder(
              new Options().compressionType(CompressionType.NONE),
              channel,
              new BytewiseComparator());
      UnknownFieldSet header = message().addField(1, varint(1)).build();
      table.add(Slices.wrappedBuffer(new byte[0]), Slices.wrappedBuffer(header.toByteArray()));
      for (Map.Entry<String, long[]> variable : new TreeMap<>(shapes).entrySet()) {
        byte[] data = numbers(variable.getKey(), variable.getValue());
        UnknownFieldSet.Builder shape = message();
        for (long size : variable.getValue()) {
          shape.mergeField(2, bytes(message().addField(1, varint(size)).build().toByteString()));
        }
        UnknownFieldSet entry =
            message()
                .addField(1, varint(1))
                .addField(2, bytes(shape.build().toByteString()))
                .addField(4, varint(shard.size()))
                .addField(5, varint(data.length))
                .addField(6, UnknownFieldSet.Field.newBuilder().addFixed32(maskedCrc(data)).build())
                .build();
        table.add(
            Slices.copiedBuffer(variable.getKey(), StandardCharsets.UTF_8),
            Slices.wrappedBuffer(entry.toByteArray()));
        shard.write(data);
      }
      table.finish();
    }
    Files.write(model.resolve("variables/variables.data-00000-of-00001"), shard.toByteArray());
    return model;
  }

  private static int maskedCrc(byte[] data) {
    CRC32C crc = new CRC32C();
    crc.update(data);
    int value = (int) crc.getValue();
    return (value >>> 15 | value << 17) + 0xa282ead8;
  }

  private Path bareOnnx(byte[] model) throws IOException {
    Path file = Files.write(directory.resolve("model.onnx"), model);
    Files.writeString(
        directory.resolve("tokenizer.json"), Tokenizer.tokenizerJson(file, VOCAB, Casing.UNCASED));
    return file;
  }

  /** Returns an encoder as PyTorch's exporter names things; {@code heads} 0 leaves them out. */
  private static byte[] onnx(int heads, String activation) {
    UnknownFieldSet.Builder graph = message();
    Map<String, long[]> shapes = new LinkedHashMap<>(googleShapes());
    shapes.keySet().removeIf(name -> name.contains("/cls/") || name.contains("/pooler/"));
    shapes.forEach(
        (name, shape) -> {
          String path = name.substring("module/bert/".length()).replace("layer_", "layer.");
          ByteString data = ByteString.copyFrom(numbers(name, shape));
          if (name.endsWith("/kernel")) {
            String anonymous = "onnx::MatMul_" + path.hashCode();
            graph.mergeField(5, bytes(tensor(anonymous, 1, shape, data)));
            String node = "/" + path.replace("/kernel", "/MatMul");
            graph.mergeField(1, bytes(node("MatMul", node, List.of("x", anonymous), null)));
          } else {
            String own =
                path.replace('/', '.')
                    .replaceFirst("_embeddings$", "_embeddings.weight")
                    .replaceFirst("gamma$", "weight")
                    .replaceFirst("beta$", "bias");
            graph.mergeField(5, bytes(tensor(own, 1, shape, data)));
          }
        });
    graph.mergeField(1, bytes(constant("/embeddings/LayerNorm/", "eps", 1, floats(1e-12f))));
    graph.mergeField(
        1, bytes(node("Add", "/embeddings/LayerNorm/Add", List.of("variance", "eps"), null)));
    graph.mergeField(
        1, bytes(node(activation, "/encoder/layer.0/intermediate/act/Act", List.of("x"), null)));
    String attention = "/encoder/layer.0/attention/self/";
    if (heads > 0) {
      graph.mergeField(1, bytes(constant(attention, "heads", 7, longs(heads), 1)));
      graph.mergeField(1, bytes(constant(attention, "width", 7, longs(HIDDEN / heads), 1)));
    }
    // The exporter also has an index and the joined width, whose product is the hidden size too.
    graph.mergeField(1, bytes(constant(attention, "tokens-axis", 7, longs(1))));
    graph.mergeField(1, bytes(constant(attention, "hidden", 7, longs(HIDDEN), 1)));
    return message()
        .addField(1, varint(8))
        .addField(7, bytes(graph.build().toByteString()))
        .build()
        .toByteArray();
  }

  private static ByteString tensor(String name, int type, long[] shape, ByteString raw) {
    UnknownFieldSet.Builder tensor = message();
    for (long size : shape) {
      tensor.mergeField(1, varint(size));
    }
    return tensor
        .addField(2, varint(type))
        .addField(8, bytes(ByteString.copyFromUtf8(name)))
        .addField(9, bytes(raw))
        .build()
        .toByteString();
  }

  private static ByteString constant(
      String module, String output, int type, ByteString raw, long... shape) {
    ByteString attribute =
        message()
            .addField(1, bytes(ByteString.copyFromUtf8("value")))
            .addField(5, bytes(tensor("", type, shape, raw)))
            .build()
            .toByteString();
    return message()
        .mergeFrom(parse(node("Constant", module + output, List.of(), attribute)))
        .addField(2, bytes(ByteString.copyFromUtf8(output)))
        .build()
        .toByteString();
  }

  private static ByteString node(
      String op, String name, List<String> inputs, ByteString attribute) {
    UnknownFieldSet.Builder node = message();
    inputs.forEach(input -> node.mergeField(1, bytes(ByteString.copyFromUtf8(input))));
    node.addField(3, bytes(ByteString.copyFromUtf8(name)));
    node.addField(4, bytes(ByteString.copyFromUtf8(op)));
    if (attribute != null) {
      node.addField(5, bytes(attribute));
    }
    return node.build().toByteString();
  }

  private static UnknownFieldSet parse(ByteString message) {
    try {
      return UnknownFieldSet.parseFrom(message);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static ByteString floats(float value) {
    ByteBuffer raw = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
    return ByteString.copyFrom(raw.putFloat(value).flip());
  }

  private static ByteString longs(long value) {
    ByteBuffer raw = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    return ByteString.copyFrom(raw.putLong(value).flip());
  }

  private static UnknownFieldSet.Builder message() {
    return UnknownFieldSet.newBuilder();
  }

  private static UnknownFieldSet.Field varint(long value) {
    return UnknownFieldSet.Field.newBuilder().addVarint(value).build();
  }

  private static UnknownFieldSet.Field bytes(ByteString value) {
    return UnknownFieldSet.Field.newBuilder().addLengthDelimited(value).build();
  }

  private static void put(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
    zip.putNextEntry(new ZipEntry(name));
    zip.write(bytes);
    zip.closeEntry();
  }

  private static List<String> list(Path path) throws IOException {
    try (Stream<Path> files = Files.list(path)) {
      return new ArrayList<>(files.map(file -> file.getFileName().toString()).sorted().toList());
    }
  }
}

package io.stillhouse.checkpoint.pickle;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.error.StillhouseException;
import java.io.EOFException;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A file of tensors that {@code torch.save} wrote from a {@code state_dict}: since PyTorch 1.6 a
 * zip with a pickle and an uncompressed file for each storage, before that several pickles and then
 * the bytes of the storages.
 */
public final class PytorchFile {
  private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
  private static final long PROTOCOL = 1001;

  /** The most bytes of pickles in a file. Those of BERT-large have 50 kB. */
  private static final int MAX_PICKLE = 2 << 20;

  private final Path file;
  private final Map<String, PickledTensor> tensors;
  private final Map<String, Long> starts;

  private PytorchFile(Path file, Map<String, PickledTensor> tensors, Map<String, Long> starts) {
    this.file = file;
    this.tensors = tensors;
    this.starts = starts;
  }

  /**
   * Reads the names, dtypes, shapes and places of the tensors. No code of the file is run. Entries
   * of the dictionary that are not tensors, such as numbers and dictionaries, are left out.
   *
   * @throws StillhouseException if the file is damaged, or names a function or class that is not
   *     needed for tensors; the message gives its name
   */
  public static PytorchFile open(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer start = read(channel, 0, (int) Math.min(4, channel.size()));
      return start.remaining() == 4 && start.getInt(0) == ZipDirectory.MAGIC
          ? zip(file, channel)
          : legacy(file, channel);
    } catch (PickleException e) {
      String why = Errors.shortened(String.valueOf(e.getMessage()));
      throw e.isRefused()
          ? Errors.invalid(
              format(
                  "'%s' is a pickle that contains %s, but only tensors are read from pickles",
                  file, why),
              "save the weights alone, with safetensors or torch.save(model.state_dict())",
              e)
          : damaged(file, why);
    } catch (EOFException e) {
      throw damaged(file, "it ends too early");
    }
  }

  private static PytorchFile zip(Path file, FileChannel channel)
      throws IOException, PickleException {
    ZipDirectory zip = ZipDirectory.read(channel);
    String pickle =
        zip.names().stream()
            .filter(name -> name.endsWith("/data.pkl"))
            .findFirst()
            .orElseThrow(() -> PickleException.damaged("it has no data.pkl"));
    ZipDirectory.Stored stored = zip.stored(pickle);
    if (stored.size() > MAX_PICKLE) {
      throw PickleException.damaged(format("its pickle has %d bytes", stored.size()));
    }
    ByteBuffer bytes = read(channel, stored.start(), (int) stored.size());
    Map<String, PickledTensor> tensors = tensors(file, PickleMachine.load(bytes));
    String root = pickle.substring(0, pickle.length() - "data.pkl".length());
    if (zip.names().contains(root + "byteorder")) {
      ZipDirectory.Stored order = zip.stored(root + "byteorder");
      if (order.size() != 6 || !"little".equals(ascii(read(channel, order.start(), 6)))) {
        throw PickleException.refused("big-endian numbers");
      }
    }
    Map<String, Long> starts = new HashMap<>();
    for (PickledTensor tensor : tensors.values()) {
      Storage storage = tensor.storage();
      ZipDirectory.Stored place = zip.stored(root + "data/" + storage.key());
      requireBytes(storage, place.size());
      starts.put(storage.key(), place.start());
    }
    return new PytorchFile(file, tensors, starts);
  }

  private static PytorchFile legacy(Path file, FileChannel channel)
      throws IOException, PickleException {
    ByteBuffer bytes = read(channel, 0, (int) Math.min(MAX_PICKLE, channel.size()));
    if (bytes.remaining() < 2 || bytes.get(0) != (byte) 0x80) {
      throw PickleException.damaged("it is neither a zip nor a pickle");
    }
    if (!MAGIC.equals(PickleMachine.load(bytes))
        || !Long.valueOf(PROTOCOL).equals(PickleMachine.load(bytes))) {
      throw PickleException.damaged("it is a pickle that torch.save did not write");
    }
    PickleMachine.load(bytes); // byte order and sizes of the machine, always the same
    Map<String, PickledTensor> tensors = tensors(file, PickleMachine.load(bytes));
    if (!(PickleMachine.load(bytes) instanceof List<?> keys)) {
      throw PickleException.damaged("it does not list its storages");
    }
    Map<String, Storage> storages = new HashMap<>();
    for (PickledTensor tensor : tensors.values()) {
      Storage before = storages.put(tensor.storage().key(), tensor.storage());
      if (before != null && !before.equals(tensor.storage())) {
        throw PickleException.damaged("a storage has two dtypes or sizes");
      }
    }
    Map<String, Long> starts = new HashMap<>();
    long position = bytes.position();
    for (Object key : keys) {
      Storage storage = key instanceof String name ? storages.get(name) : null;
      if (storage == null) {
        throw PickleException.damaged("a storage belongs to no tensor");
      }
      long count = read(channel, position, Long.BYTES).getLong(0);
      if (count != storage.count()) {
        throw PickleException.damaged(
            format("a storage has %d numbers, not %d", count, storage.count()));
      }
      position += Long.BYTES;
      requireBytes(storage, channel.size() - position);
      starts.put(storage.key(), position);
      position += count * storage.dtype().bytes();
    }
    if (!starts.keySet().containsAll(storages.keySet())) {
      throw PickleException.damaged("a storage is missing");
    }
    return new PytorchFile(file, tensors, starts);
  }

  private static String ascii(ByteBuffer bytes) {
    return StandardCharsets.US_ASCII.decode(bytes).toString();
  }

  private static void requireBytes(Storage storage, long available) throws PickleException {
    if (storage.count() > available / storage.dtype().bytes()) {
      throw PickleException.damaged(
          format(
              "storage '%s' of %d numbers has %d bytes",
              Errors.shortened(storage.key()), storage.count(), available));
    }
  }

  private static Map<String, PickledTensor> tensors(Path file, @Nullable Object root)
      throws PickleException {
    if (!(root instanceof Map<?, ?> dictionary)) {
      throw PickleException.damaged("it is not a state_dict: a dictionary of tensors");
    }
    Map<String, PickledTensor> tensors = tensorsOf(dictionary);
    if (tensors.isEmpty()) {
      throw nested(file, dictionary);
    }
    return tensors;
  }

  private static Map<String, PickledTensor> tensorsOf(Map<?, ?> dictionary) {
    Map<String, PickledTensor> tensors = new LinkedHashMap<>();
    for (Map.Entry<?, ?> entry : dictionary.entrySet()) {
      if (entry.getKey() instanceof String name
          && entry.getValue() instanceof PickledTensor tensor) {
        tensors.put(name, tensor);
      }
    }
    return tensors;
  }

  /** Returns the error for a dictionary without tensors, which may contain one with tensors. */
  private static StillhouseException nested(Path file, Map<?, ?> dictionary)
      throws PickleException {
    for (Map.Entry<?, ?> entry : dictionary.entrySet()) {
      if (entry.getKey() instanceof String name
          && entry.getValue() instanceof Map<?, ?> inner
          && !tensorsOf(inner).isEmpty()) {
        String key = Errors.shortened(name);
        return Errors.invalid(
            format(
                "'%s' is a checkpoint with other entries, and its weights are in its entry '%s'",
                file, key),
            format("save that entry alone: torch.save(checkpoint['%s'], path)", key));
      }
    }
    throw PickleException.damaged("its dictionary has no tensors");
  }

  /** Returns the names of the tensors, in the order of the file. */
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  /** Returns the shape of a tensor. */
  public long[] shape(String name) {
    return tensor(name).shape().stream().mapToLong(Long::longValue).toArray();
  }

  /** Returns the dtype of a tensor under its name in safetensors files, such as {@code BF16}. */
  public String dtype(String name) {
    return tensor(name).storage().dtype().name();
  }

  /** Reads the values of a tensor in its own dtype, little-endian and in row-major order. */
  public ByteBuffer bytes(String name) throws IOException {
    requireMappable(name);
    PickledTensor tensor = tensor(name);
    Storage storage = tensor.storage();
    int width = storage.dtype().bytes();
    long start = Objects.requireNonNull(starts.get(storage.key()), "checked in open");
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer values =
          channel
              .map(
                  FileChannel.MapMode.READ_ONLY,
                  start + tensor.offset() * width,
                  tensor.extent() * width)
              .order(ByteOrder.LITTLE_ENDIAN);
      return tensor.isContiguous() ? values : gathered(values, tensor, width);
    }
  }

  /**
   * Requires that the part of the file that a tensor spans is small enough to be mapped. That of a
   * view, such as a column, can be much larger than the tensor.
   *
   * @throws StillhouseException if it is not
   */
  public void requireMappable(String name) {
    PickledTensor tensor = tensor(name);
    int most = Integer.MAX_VALUE / tensor.storage().dtype().bytes();
    if (tensor.extent() > most) {
      throw Errors.invalid(
          format(
              "tensor '%s' of '%s' is a view that spans %,d numbers of its storage, but tensors may"
                  + " span %,d",
              Errors.shortened(name), file, tensor.extent(), most),
          "save a copy of it: tensor.clone()");
    }
  }

  /** Copies the values of a tensor whose neighbors are apart, such as a transposed matrix. */
  private static ByteBuffer gathered(ByteBuffer values, PickledTensor tensor, int width) {
    int size = Math.toIntExact(tensor.size());
    ByteBuffer result =
        ByteBuffer.allocate(Math.multiplyExact(size, width)).order(ByteOrder.LITTLE_ENDIAN);
    int dimensions = tensor.shape().size();
    long[] index = new long[dimensions];
    for (int i = 0; i < size; i++) {
      long at = 0;
      for (int d = 0; d < dimensions; d++) {
        at += index[d] * tensor.strides().get(d);
      }
      for (int b = 0; b < width; b++) {
        result.put(values.get((int) at * width + b));
      }
      for (int d = dimensions - 1; d >= 0 && ++index[d] == tensor.shape().get(d); d--) {
        index[d] = 0;
      }
    }
    return result.flip();
  }

  private PickledTensor tensor(String name) {
    PickledTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalStateException(format("%s has no tensor '%s'", file, name));
    }
    return tensor;
  }

  static ByteBuffer read(FileChannel channel, long position, int count) throws IOException {
    if (position < 0 || count > channel.size() - position) {
      throw new EOFException();
    }
    ByteBuffer bytes = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, position + bytes.position()) < 0) {
        throw new EOFException();
      }
    }
    return bytes.flip();
  }

  private static StillhouseException damaged(Path file, String why) {
    return Errors.invalid(
        format("'%s' is not a complete PyTorch checkpoint: %s", file, why),
        "copy or download it again, or save it as model.safetensors");
  }
}

package io.stillhouse.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.stillhouse.checkpoint.LazyTensor;
import io.stillhouse.checkpoint.SafeTensors;
import io.stillhouse.torch.Autograd;
import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * The concatenated float32 tensors of a student, split into pieces of equal size. Driver and
 * workers exchange weights in this form, and the driver computes on it without the engine.
 */
public final class FlatWeights implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Maximum number of values in a piece: 16 MB, which Spark sends as one block. */
  private static final int MAX_PIECE = 4 << 20;

  private final LinkedHashMap<String, long[]> shapes;
  private final int pieceSize;
  private final byte[][] pieces;

  private FlatWeights(LinkedHashMap<String, long[]> shapes, int pieceSize) {
    this.shapes = shapes;
    this.pieceSize = pieceSize;
    long numbers = shapes.values().stream().mapToLong(shape -> new Shape(shape).size()).sum();
    this.pieces = new byte[Math.toIntExact((numbers + pieceSize - 1) / pieceSize)][];
    for (int piece = 0; piece < pieces.length; piece++) {
      long size = Math.min(pieceSize, numbers - (long) piece * pieceSize);
      pieces[piece] = new byte[Math.toIntExact(4 * size)];
    }
  }

  private static FlatWeights empty(LinkedHashMap<String, long[]> shapes, int parts) {
    long numbers = shapes.values().stream().mapToLong(shape -> new Shape(shape).size()).sum();
    long partSize = Math.max(1, (numbers + parts - 1) / parts);
    return new FlatWeights(shapes, (int) Math.min(MAX_PIECE, partSize));
  }

  /**
   * Reads the tensors whose names have a prefix, in the order of the file.
   *
   * @param parts minimum number of pieces
   */
  public static FlatWeights read(SafeTensors file, String prefix, int parts) throws IOException {
    LinkedHashMap<String, long[]> shapes = new LinkedHashMap<>();
    for (String name : file.names()) {
      if (name.startsWith(prefix)) {
        shapes.put(name.substring(prefix.length()), file.shape(name).getShape());
      }
    }
    FlatWeights weights = empty(shapes, parts);
    long at = 0;
    for (String name : shapes.keySet()) {
      FloatBuffer numbers = file.floats(prefix + name);
      int size = numbers.remaining();
      weights.put(at, numbers);
      at += size;
    }
    return weights;
  }

  /** Returns tensors of the same names and shapes with all values 0. */
  public FlatWeights zeros() {
    return new FlatWeights(shapes, pieceSize);
  }

  /** Returns the number of pieces. */
  public int pieces() {
    return pieces.length;
  }

  /** Returns a piece as little-endian bytes, which are not copied. */
  public byte[] piece(int piece) {
    return pieces[piece];
  }

  /** Creates the tensors in libtorch's memory; {@code manager} owns them. */
  public Map<String, NDArray> tensors(NDManager manager) {
    Map<String, NDArray> tensors = new LinkedHashMap<>();
    long at = 0;
    for (Map.Entry<String, long[]> entry : shapes.entrySet()) {
      Shape shape = new Shape(entry.getValue());
      ByteBuffer numbers =
          ByteBuffer.allocateDirect(Math.toIntExact(4 * shape.size()))
              .order(ByteOrder.LITTLE_ENDIAN);
      get(at, numbers.asFloatBuffer());
      try (NDArray inJavaMemory = manager.create(numbers, shape, DataType.FLOAT32)) {
        tensors.put(entry.getKey(), inJavaMemory.duplicate());
      }
      at += shape.size();
    }
    return tensors;
  }

  /** Returns the values of tensors with the same names and shapes. */
  public FlatWeights of(Map<String, NDArray> tensors) {
    FlatWeights now = zeros();
    long at = 0;
    for (String name : shapes.keySet()) {
      NDArray tensor = Objects.requireNonNull(tensors.get(name), name);
      long to = at;
      Autograd.onHost(
          tensor,
          array -> {
            now.put(to, array.toByteBuffer(true).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer());
            return now;
          });
      at += tensor.size();
    }
    return now;
  }

  /** Returns views of the tensors for writing to a file, with a prefix before their names. */
  public Map<String, LazyTensor> named(String prefix) {
    Map<String, LazyTensor> named = new LinkedHashMap<>();
    long at = 0;
    for (Map.Entry<String, long[]> entry : shapes.entrySet()) {
      long from = at;
      Shape shape = new Shape(entry.getValue());
      named.put(
          prefix + entry.getKey(),
          new LazyTensor(
              shape,
              () -> {
                ByteBuffer bytes =
                    ByteBuffer.allocate(Math.toIntExact(4 * shape.size()))
                        .order(ByteOrder.LITTLE_ENDIAN);
                get(from, bytes.asFloatBuffer());
                return bytes;
              }));
      at += shape.size();
    }
    return named;
  }

  private void put(long at, FloatBuffer numbers) {
    while (numbers.hasRemaining()) {
      FloatBuffer piece = floats(pieces[(int) (at / pieceSize)]).position((int) (at % pieceSize));
      int size = Math.min(piece.remaining(), numbers.remaining());
      piece.put(numbers.slice().limit(size));
      numbers.position(numbers.position() + size);
      at += size;
    }
  }

  private void get(long at, FloatBuffer numbers) {
    while (numbers.hasRemaining()) {
      FloatBuffer piece = floats(pieces[(int) (at / pieceSize)]).position((int) (at % pieceSize));
      int size = Math.min(piece.remaining(), numbers.remaining());
      numbers.put(piece.slice().limit(size));
      at += size;
    }
  }

  /** Returns a view of little-endian bytes. */
  public static FloatBuffer floats(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
  }
}

package io.stillhouse.export.onnx;

import static io.stillhouse.error.Text.format;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.WireFormat;
import io.stillhouse.error.Errors;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Writes ONNX files, which are protobuf messages with the field numbers of onnx/onnx.proto. The
 * sizes of all messages are computed first, so that weights can be written one at a time.
 */
final class OnnxFile {
  /** The last version in which Unsqueeze and ReduceMean have their axes as attributes. */
  static final int OPSET = 12;

  private static final int IR_VERSION = 7;
  private static final int BUFFER = 1 << 20;

  private OnnxFile() {}

  /**
   * Writes a file.
   *
   * @throws io.stillhouse.error.StillhouseException if the file would exceed 2 GiB, the maximum
   *     size of a protobuf message
   */
  static void write(Path file, Graph graph) throws IOException {
    long size = size(graph);
    requireSize(size + BUFFER);
    try (OutputStream stream = new BufferedOutputStream(Files.newOutputStream(file), BUFFER)) {
      CodedOutputStream out = CodedOutputStream.newInstance(stream, BUFFER);
      out.writeInt64(1, IR_VERSION);
      out.writeString(2, "stillhouse");
      out.writeTag(7, WireFormat.WIRETYPE_LENGTH_DELIMITED);
      out.writeUInt32NoTag((int) size);
      writeGraph(out, graph);
      out.writeBytes(8, Message.of(opset -> opset.writeInt64(2, OPSET)));
      out.flush();
    }
  }

  /** Requires that a message of this size can be written. */
  static void requireSize(long bytes) {
    if (bytes > Integer.MAX_VALUE) {
      throw Errors.invalid(
          format("an ONNX file of %,d bytes would exceed the 2 GiB of its format", bytes),
          "export a smaller model, or leave ONNX out of export.formats");
    }
  }

  private static void writeGraph(CodedOutputStream out, Graph graph) throws IOException {
    for (ByteString node : graph.nodes()) {
      out.writeBytes(1, node);
    }
    out.writeString(2, "stillhouse");
    for (Initializer initializer : graph.initializers()) {
      write(out, initializer);
    }
    for (ByteString input : graph.inputs()) {
      out.writeBytes(11, input);
    }
    for (ByteString output : graph.outputs()) {
      out.writeBytes(12, output);
    }
  }

  private static void write(CodedOutputStream out, Initializer initializer) throws IOException {
    ByteString header = initializer.header();
    int bytes = (int) initializer.size();
    out.writeTag(5, WireFormat.WIRETYPE_LENGTH_DELIMITED);
    out.writeUInt32NoTag((int) tensorSize(initializer));
    out.writeRawBytes(header);
    out.writeTag(9, WireFormat.WIRETYPE_LENGTH_DELIMITED);
    out.writeUInt32NoTag(bytes);
    ByteBuffer values = initializer.values().read();
    if (values.remaining() != bytes) {
      throw new IllegalStateException(
          format(
              "%s of shape %s has %d bytes",
              initializer.name(), initializer.shape(), values.remaining()));
    }
    out.write(values); // writeRawBytes would ignore the position and the limit
  }

  private static long size(Graph graph) {
    long size = CodedOutputStream.computeStringSize(2, "stillhouse");
    size += size(1, graph.nodes()) + size(11, graph.inputs()) + size(12, graph.outputs());
    for (Initializer initializer : graph.initializers()) {
      size += nested(5, tensorSize(initializer));
    }
    return size;
  }

  private static long size(int field, List<ByteString> messages) {
    return messages.stream()
        .mapToLong(message -> CodedOutputStream.computeBytesSize(field, message))
        .sum();
  }

  private static long tensorSize(Initializer initializer) {
    return initializer.header().size() + nested(9, initializer.size());
  }

  /** Returns the size of a field with bytes, with its tag and its length. */
  private static long nested(int field, long bytes) {
    return CodedOutputStream.computeTagSize(field)
        + CodedOutputStream.computeUInt64SizeNoTag(bytes)
        + bytes;
  }
}

package io.stillhouse.export.onnx;

import com.google.protobuf.ByteString;

/**
 * An attribute of a node.
 *
 * @param message its AttributeProto
 */
record Attribute(ByteString message) {
  private static final int INT = 2;
  private static final int STRING = 3;
  private static final int INTS = 7;

  static Attribute number(String name, long value) {
    return new Attribute(
        Message.of(
            out -> {
              out.writeString(1, name);
              out.writeInt64(3, value);
              out.writeInt32(20, INT);
            }));
  }

  static Attribute numbers(String name, long... values) {
    return new Attribute(
        Message.of(
            out -> {
              out.writeString(1, name);
              for (long value : values) {
                out.writeInt64(8, value);
              }
              out.writeInt32(20, INTS);
            }));
  }

  static Attribute text(String name, String value) {
    return new Attribute(
        Message.of(
            out -> {
              out.writeString(1, name);
              out.writeString(4, value);
              out.writeInt32(20, STRING);
            }));
  }
}

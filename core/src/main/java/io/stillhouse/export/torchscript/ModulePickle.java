package io.stillhouse.export.torchscript;

import io.stillhouse.checkpoint.LazyTensor;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Pickles a tree of modules as TorchScript does: a module is an object of its class with the values
 * of its attributes, and a tensor refers to its bytes by the key of a storage. A tensor that two
 * modules share is pickled once; the second module refers to the first one's.
 */
final class ModulePickle {
  private static final byte PROTOCOL = (byte) 0x80;
  private static final byte NEW_OBJECT = (byte) 0x81;
  private static final byte FALSE = (byte) 0x89;

  private final ModuleSource source;
  private final UnaryOperator<String> parameterOf;
  private final Function<String, LazyTensor> tensors;
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final Map<String, Integer> keys = new LinkedHashMap<>();

  /**
   * @param parameterOf returns the name of the parameter at a path of attributes, such as {@code
   *     bert.pooler.dense.weight}
   * @param tensors returns the parameter of a name
   */
  ModulePickle(
      ModuleSource source,
      UnaryOperator<String> parameterOf,
      Function<String, LazyTensor> tensors) {
    this.source = source;
    this.parameterOf = parameterOf;
    this.tensors = tensors;
  }

  /** Returns the pickle. */
  byte[] write() {
    bytes.write(PROTOCOL);
    bytes.write(2);
    module("", source.root());
    bytes.write('.');
    return bytes.toByteArray();
  }

  /** Returns the key of each parameter's storage, by the parameter's name. */
  Map<String, Integer> keys() {
    return keys;
  }

  private void module(String prefix, String type) {
    int dot = type.lastIndexOf('.');
    global(type.substring(0, dot), type.substring(dot + 1));
    code(")");
    bytes.write(NEW_OBJECT);
    code("}(");
    string("training");
    bytes.write(FALSE);
    for (ModuleSource.Attribute attribute : source.attributes(type)) {
      String path = prefix + attribute.name();
      string(attribute.name());
      if (attribute.isTensor()) {
        tensor(parameterOf.apply(path));
      } else {
        module(path + ".", attribute.type());
      }
    }
    code("ub"); // sets the items of the dictionary, then the state of the object
  }

  private void tensor(String parameter) {
    Integer known = keys.get(parameter);
    if (known != null) {
      code("j");
      integer(known);
      return;
    }
    int key = keys.size();
    keys.put(parameter, key);
    LazyTensor tensor = tensors.apply(parameter);
    long[] shape = tensor.shape().getShape();
    global("torch._utils", "_rebuild_tensor_v2");
    code("((");
    string("storage");
    global("torch", "FloatStorage");
    string(Integer.toString(key));
    string("cpu");
    number(tensor.shape().size());
    code("tQ"); // the tensor's storage, by its persistent id
    number(0);
    numbers(shape);
    numbers(strides(shape));
    bytes.write(FALSE); // requires no gradients
    global("collections", "OrderedDict");
    code(")RtRr"); // calls both functions, and remembers the tensor under its key
    integer(key);
  }

  private static long[] strides(long[] shape) {
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int dimension = shape.length - 1; dimension >= 0; dimension--) {
      strides[dimension] = stride;
      stride *= shape[dimension];
    }
    return strides;
  }

  private void numbers(long[] values) {
    code("(");
    for (long value : values) {
      number(value);
    }
    code("t");
  }

  private void number(long value) {
    code("J");
    integer(Math.toIntExact(value));
  }

  private void string(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    code("X");
    integer(utf8.length);
    bytes.writeBytes(utf8);
  }

  private void global(String module, String name) {
    code("c" + module + "\n" + name + "\n");
  }

  private void integer(int value) {
    bytes.writeBytes(
        ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
  }

  /** Writes opcodes that are printable characters. */
  private void code(String opcodes) {
    bytes.writeBytes(opcodes.getBytes(StandardCharsets.US_ASCII));
  }
}

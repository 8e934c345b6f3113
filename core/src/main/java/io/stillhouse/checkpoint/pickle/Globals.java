package io.stillhouse.checkpoint.pickle;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The functions and classes that a checkpoint of tensors may name. */
enum Globals {
  ORDERED_DICT("collections OrderedDict") {
    @Override
    Object call(List<@Nullable Object> arguments) throws PickleException {
      Map<Object, @Nullable Object> dictionary = new LinkedHashMap<>();
      if (!arguments.isEmpty()) {
        for (Object item : list(arguments, 0)) {
          if (!(item instanceof List<?> pair) || pair.size() != 2 || pair.get(0) == null) {
            throw PickleException.damaged("an OrderedDict is not made of pairs");
          }
          dictionary.put(PickleMachine.key(pair.get(0)), pair.get(1));
        }
      }
      return dictionary;
    }
  },
  REBUILD_TENSOR("torch._utils _rebuild_tensor") {
    @Override
    Object call(List<@Nullable Object> arguments) throws PickleException {
      return tensor(arguments);
    }
  },
  REBUILD_TENSOR_V2("torch._utils _rebuild_tensor_v2") {
    @Override
    Object call(List<@Nullable Object> arguments) throws PickleException {
      return tensor(arguments);
    }
  },
  REBUILD_PARAMETER("torch._utils _rebuild_parameter") {
    @Override
    Object call(List<@Nullable Object> arguments) throws PickleException {
      if (arguments.isEmpty() || !(arguments.get(0) instanceof PickledTensor tensor)) {
        throw PickleException.damaged("a parameter is not a tensor");
      }
      return tensor;
    }
  },
  SIZE("torch Size") {
    @Override
    Object call(List<@Nullable Object> arguments) throws PickleException {
      return list(arguments, 0);
    }
  };

  private final String name;

  Globals(String name) {
    this.name = name;
  }

  /** Returns the result of a call. */
  abstract Object call(List<@Nullable Object> arguments) throws PickleException;

  /**
   * Returns the function of this name, or the {@link Dtype} of a storage class.
   *
   * @throws PickleException naming the function if it is not one of these
   */
  static Object named(String module, String name) throws PickleException {
    for (Globals global : values()) {
      if (global.name.equals(module + " " + name)) {
        return global;
      }
    }
    Dtype dtype = module.equals("torch") ? Dtype.ofStorageClass(name) : null;
    if (dtype == null) {
      throw PickleException.refused(module + "." + name);
    }
    return dtype;
  }

  /** Builds a tensor from a storage, an offset, a shape and strides, all counted in numbers. */
  private static PickledTensor tensor(List<@Nullable Object> arguments) throws PickleException {
    if (arguments.size() < 4 || !(arguments.get(0) instanceof Storage storage)) {
      throw PickleException.damaged("a tensor has no storage");
    }
    if (!(arguments.get(1) instanceof Long offset)) {
      throw PickleException.damaged("the offset of a tensor is not a number");
    }
    return PickledTensor.of(storage, offset, longs(arguments, 2), longs(arguments, 3));
  }

  private static long[] longs(List<@Nullable Object> arguments, int index) throws PickleException {
    List<?> items = list(arguments, index);
    long[] numbers = new long[items.size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!(items.get(i) instanceof Long number)) {
        throw PickleException.damaged("the shape of a tensor is not made of numbers");
      }
      numbers[i] = number;
    }
    return numbers;
  }

  private static List<?> list(List<@Nullable Object> arguments, int index) throws PickleException {
    if (index < arguments.size() && arguments.get(index) instanceof List<?> list) {
      return list;
    }
    throw PickleException.damaged("an argument of a call is not a list");
  }
}

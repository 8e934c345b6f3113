package io.stillhouse.export.onnx;

import io.stillhouse.checkpoint.LazyTensor;

/** Adds the operators that read weights to a graph; determines how weights are stored. */
interface Layers {
  /** Returns the graph that operators are added to. */
  Graph graph();

  /**
   * Looks up the rows of a table.
   *
   * @param module the module that the nodes are named after
   * @param table name of a parameter, (rows, width)
   * @param ids int64
   * @return float32, the shape of {@code ids} and then the width
   */
  String rows(String module, String table, String ids);

  /**
   * Multiplies by a kernel and adds a bias.
   *
   * @param module the module that the nodes are named after
   * @param input float32, (..., in)
   * @param layer prefix of the names of a weight, (out, in), and a bias, (out)
   * @return float32, (..., out)
   */
  String linear(String module, String input, String layer);

  /**
   * Multiplies by the rows of a table, without a bias.
   *
   * @param module the module that the nodes are named after
   * @param input float32, (..., width)
   * @param table name of a parameter, (rows, width), which is stored once
   * @return float32, (..., rows)
   */
  String products(String module, String input, String table);

  /**
   * Returns a tensor of kernels that an operator reads in float32.
   *
   * @param name name of the tensor in the file
   * @param kernels at least two axes; each vector of the last one is scaled on its own
   */
  String kernels(String module, String name, LazyTensor kernels);

  /** Returns a parameter that is stored in float32 as it is. */
  String vector(String name);
}

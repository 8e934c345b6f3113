package io.stillhouse.export.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.stillhouse.model.Batch;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/** Runs ONNX files with ONNX Runtime. */
final class OnnxSession implements AutoCloseable {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  OnnxSession(Path file) {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(1);
      session = environment.createSession(file.toString(), options);
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  Set<String> inputs() {
    return session.getInputNames();
  }

  Set<String> outputs() {
    return session.getOutputNames();
  }

  /** Computes the only output of a padded batch. */
  NDArray run(Batch batch) {
    Map<String, OnnxTensor> feeds = new HashMap<>();
    try {
      long[] shape = batch.idsBL().getShape().getShape();
      float[] mask = batch.maskBL1().toFloatArray();
      long[] wholeMask = new long[mask.length];
      for (int i = 0; i < mask.length; i++) {
        wholeMask[i] = (long) mask[i];
      }
      long[] positions = new long[mask.length];
      for (int i = 0; i < mask.length; i++) {
        positions[i] = i % shape[1];
      }
      for (String name : inputs()) {
        feeds.put(
            name,
            switch (name) {
              case "input_ids" ->
                  inputs().contains("second_input_ids")
                      ? text(batch, 0)
                      : tensor(batch.idsBL().toLongArray(), shape);
              case "second_input_ids" -> text(batch, 1);
              case "token_type_ids" -> tensor(batch.typesBL().toLongArray(), shape);
              case "position_ids" -> tensor(positions, shape);
              case "attention_mask" ->
                  inputs().contains("position_ids")
                      ? OnnxTensor.createTensor(environment, FloatBuffer.wrap(mask), shape)
                      : tensor(wholeMask, shape);
              default -> throw new IllegalStateException(name);
            });
      }
      return run(feeds, batch.idsBL().getManager());
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    } finally {
      feeds.values().forEach(OnnxTensor::close);
    }
  }

  private NDArray run(Map<String, OnnxTensor> feeds, NDManager manager) throws OrtException {
    try (OrtSession.Result result = session.run(feeds)) {
      OnnxTensor only = (OnnxTensor) result.get(0);
      return manager.create(only.getFloatBuffer().array(), new Shape(only.getInfo().getShape()));
    }
  }

  /** Returns one text of the only row. */
  private OnnxTensor text(Batch batch, long type) throws OrtException {
    long[] ids = batch.idsBL().toLongArray();
    long[] types = batch.typesBL().toLongArray();
    long[] text =
        IntStream.range(0, ids.length)
            .filter(token -> types[token] == type)
            .mapToLong(token -> ids[token])
            .toArray();
    return tensor(text, new long[] {1, text.length});
  }

  private OnnxTensor tensor(long[] values, long[] shape) throws OrtException {
    return OnnxTensor.createTensor(environment, LongBuffer.wrap(values), shape);
  }

  @Override
  public void close() {
    try {
      session.close();
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }
}

package io.stillhouse.jobs.inference;

import static io.stillhouse.error.Text.format;

import io.stillhouse.error.Errors;
import io.stillhouse.jobs.storage.Storage;
import java.io.IOException;
import java.io.Serializable;
import java.util.Locale;
import org.apache.hadoop.fs.Path;

/**
 * Where a model is: the directory of its weights, or one file of an export. The config and the
 * tokenizer always come from the directory.
 *
 * @param path what the user named: the directory, or the file
 * @param directory the directory with {@code config.json} and the tokenizer
 * @param form what the path holds
 */
public record ModelLocation(String path, String directory, Form form) implements Serializable {
  /** The folder in which transformers.js and others expect ONNX files. */
  private static final String ONNX_FOLDER = "onnx";

  /**
   * Returns the location that a path names. A path that ends in {@code .onnx} or {@code .pt} is a
   * file of an export, and every other path a directory of weights. A name with {@code quantized}
   * or {@code int8} is an int8 graph. The directory of {@code DIR/model.onnx} and {@code
   * DIR/onnx/model.onnx} is {@code DIR}.
   */
  public static ModelLocation parse(String path) {
    String name = new Path(path).getName().toLowerCase(Locale.ROOT);
    if (name.endsWith(".onnx")) {
      boolean int8 = name.contains("quantized") || name.contains("int8");
      return ofFile(path, int8 ? Form.ONNX_INT8 : Form.ONNX);
    }
    return name.endsWith(".pt")
        ? ofFile(path, Form.TORCHSCRIPT)
        : new ModelLocation(path, path, Form.WEIGHTS);
  }

  /**
   * Returns the location that an existing path names, with qualified paths, which mean the same on
   * every machine.
   *
   * @param what what messages call the path
   * @throws io.stillhouse.error.StillhouseException if the path does not exist, or is a file of
   *     another kind
   */
  public static ModelLocation existing(Storage storage, String what, String given)
      throws IOException {
    Path path = storage.requireExisting(what, given);
    if (storage.fileSystem(path).getFileStatus(path).isDirectory()) {
      return ofDirectory(path);
    }
    ModelLocation location = parse(path.toString());
    if (location.form() == Form.WEIGHTS) {
      throw Errors.invalid(
          format("%s '%s' is a file, but neither .onnx nor .pt", what, given),
          "name the directory of the model, or a file of an export");
    }
    return location;
  }

  /** Returns the location of the weights in a directory, which may have any name. */
  public static ModelLocation ofDirectory(Path path) {
    return new ModelLocation(path.toString(), path.toString(), Form.WEIGHTS);
  }

  private static ModelLocation ofFile(String path, Form form) {
    Path folder = new Path(path).getParent();
    if (folder != null && folder.getName().equals(ONNX_FOLDER) && form != Form.TORCHSCRIPT) {
      folder = folder.getParent();
    }
    boolean here = folder == null || folder.toString().isEmpty();
    return new ModelLocation(path, here ? Path.CUR_DIR : folder.toString(), form);
  }

  /** Returns the path of an export's file relative to the directory. */
  public String file() {
    Path file = new Path(path);
    Path folder = file.getParent();
    boolean inFolder =
        folder != null && folder.getName().equals(ONNX_FOLDER) && form != Form.TORCHSCRIPT;
    return inFolder ? ONNX_FOLDER + Path.SEPARATOR + file.getName() : file.getName();
  }
}

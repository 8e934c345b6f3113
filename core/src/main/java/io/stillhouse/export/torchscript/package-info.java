/**
 * Writes models as TorchScript archives, which libtorch loads without Python: DJL in a JVM service,
 * C++ programs, and {@code torch.jit.load}. The source text of the modules is in resource files,
 * under Hugging Face's names of classes, attributes and parameters. Next to the archive, a {@code
 * serving.properties} tells DJL how to tokenize texts and how to read the logits.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.export.torchscript;

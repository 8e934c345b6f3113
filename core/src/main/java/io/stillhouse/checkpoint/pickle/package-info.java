/**
 * Reads the tensors of PyTorch's pickled checkpoints, {@code pytorch_model.bin}. A pickle is a
 * program that Python runs to create objects. {@code PickleMachine} runs only the instructions that
 * build lists, dictionaries and tensors, and {@code Globals} lists the few functions that a
 * checkpoint of tensors calls; a file that names any other is rejected. Nothing is ever executed.
 *
 * <p>A reader of our own, because general unpicklers create an object for every unknown class,
 * allocate what a length in the file asks for, and keep their constructors in a table of the
 * process.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.checkpoint.pickle;

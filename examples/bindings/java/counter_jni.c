#include "../counter.h"
#include <jni.h>
#include <stdlib.h>

/* Every failure of haft's, a panic behind it too, is an exception with haft's sentence. */
static void fail(JNIEnv *env) {
    jclass class = (*env)->FindClass(env, "Counter$HandleException");
    if (class != NULL) {
        (*env)->ThrowNew(env, class, haft_last_error());
    }
}

JNIEXPORT jlong JNICALL Java_Counter_create(JNIEnv *env, jclass class, jlong value, jstring place) {
    (void)class;
    haft_handle handle = 0;
    const char *text = (*env)->GetStringUTFChars(env, place, NULL);
    if (text == NULL) {
        return 0; /* The exception is thrown. */
    }
    haft_status status = counter_new(value, text, &handle);
    (*env)->ReleaseStringUTFChars(env, place, text);
    if (status != HAFT_OK) {
        fail(env);
    }
    return (jlong)handle;
}

JNIEXPORT jlong JNICALL Java_Counter_add(JNIEnv *env, jclass class, jlong handle, jlong amount) {
    (void)class;
    int64_t sum = 0;
    if (counter_add((haft_handle)handle, amount, &sum) != HAFT_OK) {
        fail(env);
    }
    return sum;
}

JNIEXPORT void JNICALL Java_Counter_remove(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    if (haft_remove((haft_handle)handle) != HAFT_OK) {
        fail(env);
    }
}

JNIEXPORT void JNICALL Java_Counter_collect(JNIEnv *env, jclass class, jlong handle) {
    (void)env, (void)class;
    counter_collect((haft_handle)handle);
}

JNIEXPORT jlong JNICALL Java_Counter_live(JNIEnv *env, jclass class) {
    (void)env, (void)class;
    return (jlong)haft_live();
}

JNIEXPORT jstring JNICALL Java_Counter_leaks(JNIEnv *env, jclass class) {
    (void)class;
    char *text = counter_leaks();
    jstring result = (*env)->NewStringUTF(env, text == NULL ? "" : text);
    free(text);
    return result;
}

// Forgets two handles; with an argument it asks for the report itself. What standard error then has is checked by the script.
#include <haft.h>
#include <stdlib.h>

typedef struct {
    int id;
} session;

static const haft_type session_type = {"session", free};

int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) {
        haft_report_at_exit();
        haft_report_at_exit();
    }
    for (int i = 0; i < 2; i++) {
        haft_handle handle;
        if (HAFT_NEW(&session_type, calloc(1, sizeof(session)), &handle) != HAFT_OK) {
            return 1;
        }
    }
    return 0;
}

@echo off
rem The schema of the database, by the verbs of the original service:
rem   generate NAME       write the file of a new step, and register it
rem   upgrade             take every pending step
rem   downgrade [STEPS]   take the last steps back, one if not said
rem   history             show every step, taken or pending
rem   current             show the last step that was taken
rem   reset               take every step back, WITH ALL DATA, and take them anew
rem The binary that SAAS_IA_BIN names does it, else the one that cargo builds. The database is that
rem of the settings: DATABASE_URL, .env, config\.
setlocal
set "root=%~dp0.."
set "self=%~f0"
rem .env and config\ are those of the repository, wherever this is called from.
cd /d "%root%"

if "%~1"=="generate" goto generate
if "%~1"=="downgrade" goto downgrade
if not "%~2"=="" goto usage
if "%~1"=="upgrade" goto upgrade
if "%~1"=="history" goto history
if "%~1"=="current" goto current
if "%~1"=="reset" goto reset
goto usage

:generate
if "%~2"=="" goto usage
if not "%~3"=="" goto usage
cargo run --quiet --manifest-path "%root%\Cargo.toml" --package migration --example new_step -- "%~2"
exit /b %errorlevel%

:upgrade
call :migrate up
exit /b %errorlevel%

:downgrade
if not "%~3"=="" goto usage
set "steps=%~2"
if "%steps%"=="" set "steps=1"
rem The original counted backwards: -1 is one step back.
if "%steps:~0,1%"=="-" set "steps=%steps:~1%"
if not defined steps goto usage
rem Digits alone: what else stood there would be read as part of a command.
for /f "eol=0 delims=0123456789" %%s in ("%steps%") do goto usage
call :migrate down --steps %steps%
exit /b %errorlevel%

:history
call :migrate status
exit /b %errorlevel%

:current
set "last="
set "status=%TEMP%\saas-ia-status-%RANDOM%%RANDOM%.txt"
call :migrate status > "%status%"
if errorlevel 1 (
    del "%status%"
    exit /b 1
)
for /f "tokens=2" %%s in ('findstr /b /c:"applied " "%status%"') do set "last=%%s"
del "%status%"
if defined last echo %last%
exit /b 0

:reset
rem It asks by itself where data would go, and names the database.
call :migrate fresh
exit /b %errorlevel%

:migrate
if defined SAAS_IA_BIN (
    "%SAAS_IA_BIN%" migrate %*
) else (
    cargo run --quiet --manifest-path "%root%\Cargo.toml" --package server --bin saas-ia -- migrate %*
)
exit /b %errorlevel%

:usage
for /f "tokens=1,* delims= " %%a in ('findstr /b /c:"rem   " "%self%"') do echo   %%b 1>&2
exit /b 2

// A tool that calls a repository with a client ID and a secret, and lives on when the secret is regenerated.
// It needs nothing but .NET 8 or newer. See README.md for what it reads.
using System.Text.Json;

var latchkey = JsonDocument.Parse(File.ReadAllText("appsettings.json")).RootElement.GetProperty("Latchkey");
var secretFile = Environment.GetEnvironmentVariable("LATCHKEY_CLIENT_SECRET_FILE");
if (string.IsNullOrEmpty(secretFile))
{
    Console.Error.WriteLine("Set LATCHKEY_CLIENT_SECRET_FILE.");
    return 1;
}
var consumer = Environment.GetEnvironmentVariable("LATCHKEY_CONSUMER") ?? "dotnet example";
var everySeconds = double.Parse(Environment.GetEnvironmentVariable("EVERY_SECONDS") ?? "60", System.Globalization.CultureInfo.InvariantCulture);

string Setting(string name) => latchkey.GetProperty(name).GetString() ?? throw new JsonException($"{name} is missing in appsettings.json.");
var repository = new Repository(Setting("Authority"), Setting("RepositoryUrl"), Setting("ToolClientId"), secretFile, consumer);

while (true)
{
    try
    {
        var answer = await repository.ReadAsync("/odata.svc/Root/Content?metadata=no");
        Console.WriteLine($"read {answer.GetProperty("d").GetProperty("results").GetArrayLength()} contents");
    }
    catch (Exception error)
    {
        // The file may be a moment behind the regeneration, or the network away: the next round tries again.
        Console.Error.WriteLine(error.Message);
    }
    await Task.Delay(TimeSpan.FromSeconds(everySeconds));
}

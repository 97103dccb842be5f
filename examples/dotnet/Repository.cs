using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

/// <summary>The repository API, called in the name of a tool client.</summary>
public sealed class Repository
{
    private readonly HttpClient http;
    private readonly string authorityUrl;
    private readonly string repositoryUrl;
    private readonly string clientId;
    private readonly string secretFile;
    private string? tokenEndpoint;
    private string? token;

    public Repository(string authorityUrl, string repositoryUrl, string clientId, string secretFile, string consumer)
    {
        this.authorityUrl = authorityUrl;
        this.repositoryUrl = repositoryUrl;
        this.clientId = clientId;
        this.secretFile = secretFile;
        // A connection that is kept for ever would not notice that a name leads elsewhere.
        http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(2) }) { Timeout = TimeSpan.FromSeconds(30) };
        // By this name the portal shows who still uses an old secret.
        http.DefaultRequestHeaders.Add("Latchkey-Consumer", consumer);
    }

    /// <summary>Reads below the repository's address. A token that is refused, because it has run out or its secret was cut off, is replaced once.</summary>
    public async Task<JsonElement> ReadAsync(string path)
    {
        for (var renewed = token == null; ; renewed = true)
        {
            if (token == null)
                token = await GetTokenAsync();
            using (var request = new HttpRequestMessage(HttpMethod.Get, repositoryUrl + path))
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                using (var response = await http.SendAsync(request))
                {
                    if (response.StatusCode == HttpStatusCode.Unauthorized)
                    {
                        token = null;
                        if (!renewed)
                            continue;
                    }
                    if (!response.IsSuccessStatusCode)
                        throw new HttpRequestException($"{path} answered {(int)response.StatusCode}");
                    return Parse(await response.Content.ReadAsStringAsync());
                }
            }
        }
    }

    /// <summary>The secret is read anew for every token: whoever regenerates it only has to replace the file.</summary>
    private async Task<string> GetTokenAsync()
    {
        if (tokenEndpoint == null)
            tokenEndpoint = Text(Parse(await http.GetStringAsync($"{authorityUrl}/.well-known/openid-configuration")), "token_endpoint");
        var secret = (await File.ReadAllTextAsync(secretFile)).Trim();
        using (var request = new HttpRequestMessage(HttpMethod.Post, tokenEndpoint))
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{clientId}:{secret}")));
            request.Content = new FormUrlEncodedContent(new Dictionary<string, string> { ["grant_type"] = "client_credentials", ["scope"] = "sensenet" });
            using (var response = await http.SendAsync(request))
            {
                var answer = Parse(await response.Content.ReadAsStringAsync());
                if (!response.IsSuccessStatusCode)
                    throw new HttpRequestException($"no token: {Reason(answer)}");
                return Text(answer, "access_token");
            }
        }
    }

    private static string Reason(JsonElement refusal) => Text(refusal, refusal.TryGetProperty("error_description", out _) ? "error_description" : "error");

    private static JsonElement Parse(string json)
    {
        using (var document = JsonDocument.Parse(json))
            return document.RootElement.Clone();
    }

    private static string Text(JsonElement answer, string name) =>
        answer.GetProperty(name).GetString() ?? throw new JsonException($"{name} is missing in the answer");
}
